/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/aws/parameters.h"
#include "src/cleanup.h"

static void values_are_taken_in(void **state)
{
    (void)state;
    _cleanup_json_ struct json_object *object = json_object_new_object();
    struct json_object *list = json_object_new_array();

    assert_int_equal(parameters_append(list, json_object_new_string("api")), 0);
    assert_int_equal(parameters_add(object, "services", list), 0);
    assert_int_equal(parameters_add(object, "count", json_object_new_int(2)), 0);
    assert_int_equal(parameters_add(object, "count", json_object_new_int(3)), 0); /* replaces */
    assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                        "{\"services\":[\"api\"],\"count\":3}");
}

static void a_value_there_was_no_memory_for_is_an_error(void **state)
{
    (void)state;
    _cleanup_json_ struct json_object *object = json_object_new_object();
    _cleanup_json_ struct json_object *list = json_object_new_array();

    assert_int_equal(parameters_add(object, "name", NULL), -ENOMEM);
    assert_int_equal(parameters_append(list, NULL), -ENOMEM);
    assert_int_equal(json_object_object_length(object), 0);
    assert_int_equal(json_object_array_length(list), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken_in),
        cmocka_unit_test(a_value_there_was_no_memory_for_is_an_error),
    };
    return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}
