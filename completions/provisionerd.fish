# SPDX-License-Identifier: MIT
# fish completion of provisionerd.

complete -c provisionerd -f
complete -c provisionerd -l config -r -k -a '(__fish_complete_suffix .ini)' -d 'Read FILE, then FILE.d/*.ini'
complete -c provisionerd -l check-config -k -a '(__fish_complete_suffix .ini)' -d 'Report every error and exit'
complete -c provisionerd -l print-config -k -a '(__fish_complete_suffix .ini)' -d 'Print the effective values'
complete -c provisionerd -l dry-run -d 'Look, decide and tell, but send no UpdateService'
complete -c provisionerd -l version -d 'Print the version'
complete -c provisionerd -l help -d 'Print a summary'
