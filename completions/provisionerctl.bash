# SPDX-License-Identifier: MIT
# bash completion of provisionerctl.

_provisionerctl_environments()
{
    sed -n 's/^\[environment  *\(.*\)\]$/\1/p' /etc/provisionerd.ini /etc/provisionerd.ini.d/*.ini 2>/dev/null
}

_provisionerctl()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb= options i

    case $before in
    --config)
        mapfile -t COMPREPLY < <(compgen -f -X '!*.ini' -- "$word"; compgen -d -S / -- "$word")
        [[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace
        return
        ;;
    --file | --output | -o | --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --directory)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --config) ((i++)) ;;
        -*) ;;
        *)
            verb=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    case $verb in
    '') options='--config --version --help
        status explain wake sleep hold release history init migrate test-pattern
        iam-policy doctor' ;;
    status) options='--json --watch --socket --help' ;;
    explain) options='--at --json --socket --directory --help' ;;
    wake) options='--wait --timeout --reason --socket --help' ;;
    sleep) options='--now --wait --timeout --reason --socket --help' ;;
    hold) options='--until --for --asleep --reason --socket --help' ;;
    release) options='--reason --socket --help' ;;
    history) options='--since --updates --json --unit --directory --file --help' ;;
    init) options='--region --profile --endpoint-url --cluster --services --always-on
        --log-group --pattern --regex --since --name --output --force --no-input
        --help' ;;
    migrate) options='--output --force --name --text --regex --help' ;;
    test-pattern) options='--since --examples --all --file --json --config --help' ;;
    iam-policy) options='--account --region --config --help' ;;
    doctor) options='--since --json --config --help' ;;
    *) return ;;
    esac
    if [[ $word == -* || -z $verb ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    case $verb in
    status | explain | wake | sleep | hold | release | history | test-pattern | iam-policy | doctor)
        mapfile -t COMPREPLY < <(compgen -W "$(_provisionerctl_environments)" -- "$word")
        ;;
    migrate)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
}

complete -F _provisionerctl provisionerctl
