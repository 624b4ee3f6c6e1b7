# SPDX-License-Identifier: MIT
# fish completion of provisionerd-sim.

complete -c provisionerd-sim -f
complete -c provisionerd-sim -l scenario -r -F -d 'The world to begin with, as JSON'
complete -c provisionerd-sim -l policy -r -F -d 'What every key and role may do: an IAM policy'
complete -c provisionerd-sim -l listen -x -d 'Where to listen for HTTP'
complete -c provisionerd-sim -l https-listen -x -d 'Where to listen for HTTPS'
complete -c provisionerd-sim -l cert -r -F -d 'Certificate, PEM'
complete -c provisionerd-sim -l key -r -F -d 'Its key, PEM'
complete -c provisionerd-sim -l port-file -r -F -d 'Write the ports there when ready'
complete -c provisionerd-sim -l allow-remote -d 'Listen on other than loopback addresses if told so'
complete -c provisionerd-sim -l replay -r -F -d 'Send the requests of an access log again'
complete -c provisionerd-sim -l replay-format -x -a 'auto common combined filter-log-events-json' -d 'What the log is written in'
complete -c provisionerd-sim -l replay-to -x -d 'Who gets them'
complete -c provisionerd-sim -l speed -x -d 'So many times as fast as they came'
complete -c provisionerd-sim -l version -d 'Print the version'
complete -c provisionerd-sim -l help -d 'Print a summary'
