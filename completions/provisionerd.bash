# SPDX-License-Identifier: MIT
# bash completion of provisionerd.

_provisionerd()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

    case $before in
    --config | --check-config | --print-config)
        mapfile -t COMPREPLY < <(compgen -f -X '!*.ini' -- "$word"; compgen -d -S / -- "$word")
        [[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '--config --check-config --print-config --dry-run
        --version --help' -- "$word")
}

complete -F _provisionerd provisionerd
