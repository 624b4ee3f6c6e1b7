# SPDX-License-Identifier: MIT
# bash completion of provisionerd-sim.

_provisionerd_sim()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

    case $before in
    --scenario | --policy | --cert | --key | --port-file | --replay)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames
        return
        ;;
    --replay-format)
        mapfile -t COMPREPLY < <(compgen -W 'auto common combined filter-log-events-json' -- "$word")
        return
        ;;
    --listen | --https-listen)
        mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:' -- "$word")
        compopt -o nospace
        return
        ;;
    --replay-to | --speed)
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '--scenario --policy --listen --https-listen --cert --key
        --port-file --allow-remote --replay --replay-format --replay-to --speed --help --version' -- "$word")
}

complete -F _provisionerd_sim provisionerd-sim
