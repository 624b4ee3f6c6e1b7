/* SPDX-License-Identifier: MIT */
/* What provisionerctl writes configurations of: a file of variables (migrate), then a log (init). */

#include <errno.h>
#include <string.h>

#include "ctl/propose.h"
#include "ctl/seed.h"
#include "src/config.h"
#include "tests/fuzz/fuzz.h"

static void expect_a_sentence(void *userdata, unsigned line, const char *what)
{
    (void)userdata, (void)line;
    MUST(what[0] && !strpbrk(what, "\n\r"));
}

/* Loads what was written, and returns it. */
static struct config *load(const char *text)
{
    static char path[4096];
    struct config *config = NULL;
    char *errors = NULL;

    snprintf(path, sizeof(path), "%s/draft.ini", fuzz_directory());
    fuzz_write_file(path, text, strlen(text));
    MUST(config_load(path, &config, &errors) == 0);
    return config;
}

/* What was written says what the draft says, and nothing else. */
static void check_loaded(const struct draft *draft, const struct config *config)
{
    MUST(config->n_environments == 1);
    const struct config_environment *environment = &config->environments[0];

    MUST(strcmp(environment->name, draft->name) == 0);
    MUST(strcmp(environment->cluster, draft->cluster) == 0);
    MUST(environment->n_services == draft->n_services);
    for (size_t i = 0; i < draft->n_services; i++) {
        MUST(strcmp(environment->services[i].name, draft->services[i].name) == 0);
        MUST(environment->services[i].count == draft->services[i].count);
    }
    MUST(environment->n_log_groups == draft->log_groups.n_items);
    MUST(!config->profile && !config->endpoint_url && environment->n_always_on == 0);
    if (draft->pattern && !draft->pattern_is_regex && draft->excludes.n_items == 0)
        MUST(pattern_matches(environment->pattern, draft->pattern));
}

/* must: there is no reason why it should not be one. */
static void write_and_load(const struct draft *draft, bool must)
{
    char *text = NULL, *errors = NULL;
    int r = draft_write(draft, &text, &errors);

    MUST(r == 0 || r == -EINVAL);
    MUST((r == 0) == (text != NULL) && (r == 0) == (errors == NULL));
    MUST(!must || r == 0);
    if (r == 0) {
        struct config *config = load(text);
        check_loaded(draft, config);
        config_free(config);
    }
    free(text);
    free(errors);
}

static void migrate(const char *bytes, size_t size, enum seed_pattern kind)
{
    struct dotenv dotenv = {0};
    struct draft draft = {0};
    const char *problem = NULL;
    unsigned line = 0;
    int r = dotenv_parse(bytes, size, &dotenv, &line, &problem);

    MUST(r == 0 || (r == -EINVAL && problem && dotenv.n_variables == 0));
    if (r == 0 && seed_draft(&dotenv, NULL, kind, expect_a_sentence, NULL, &draft) == 0)
        write_and_load(&draft, false);
    draft_clear(&draft);
    dotenv_clear(&dotenv);
}

/* Whatever the log has in it, what is proposed is a configuration. */
static void propose(char *log)
{
    struct propose proposal = {0};
    struct draft draft = {.name = strdup("a"), .cluster = strdup("a")};
    char *rest = log, *message;

    while ((message = strsep(&rest, "\n")))
        MUST(propose_add(&proposal, message) == 0);
    MUST(propose_finish(&proposal, &draft) == 0);
    MUST(proposal.n_requests + proposal.n_noise + proposal.n_files + proposal.n_refused <=
         proposal.n_messages);
    MUST(draft_add_service(&draft, "api", DRAFT_COUNT_RECORDED) == 0);
    MUST(texts_add(&draft.log_groups, "/a") == 0);
    write_and_load(&draft, true);
    propose_clear(&proposal);
    draft_clear(&draft);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t length = 0;

    if (!data)
        return 0;
    char *variables = fuzz_take_bytes(&input, &length);
    if (variables) {
        migrate(variables, length, SEED_PATTERN_BY_ITS_LOOK);
        migrate(variables, length, SEED_PATTERN_IS_TEXT);
        migrate(variables, length, SEED_PATTERN_IS_REGEX);
    }
    free(variables);
    char *log = fuzz_take_text(&input);
    propose(log);
    free(log);
    return 0;
}
