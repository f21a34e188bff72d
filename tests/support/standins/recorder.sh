#!/bin/sh -e
# Stands in for a package manager: says in /record how it was called, and leaves what such a program leaves.
me=${0##*/}
{
    echo "call $(id -u):$(id -g) $PWD"
    for word in "$me" "$@"; do
        echo "word $word"
    done
    env | sed 's/^/env /'
    for place in $(awk '{ print $2 }' /proc/mounts); do
        echo "mount $(stat -c %u:%g "$place") $place"
    done
} >>/record

# A cache keeps what is put into it, the image does not.
for directory in $(awk '{ print $2 }' /proc/mounts); do
    case $directory in
        */cache | */cache/* | */registry | */git | */apt/lists) echo "$me" >"$directory/by-$me" ;;
    esac
done

case $me in
    apk) touch /var/log/apk.log ;;
    apt-get) touch /var/log/dpkg.log /var/log/apt/term.log ;;
    dnf | microdnf) touch /var/log/dnf.log /var/log/dnf.rpm.log ;;
    cargo)
        # Cargo takes sources for unchanged that are older than what it notes here.
        known=$CARGO_TARGET_DIR/debug/.fingerprint/app/dep-bin-app
        case $1 in build | test)
            [ ! -e "$known" ] || [ "$(stat -c %Y "$known")" = 0 ]
            mkdir -p "${known%/*}"
            touch "$known"
            ;;
        esac
        profile=debug
        for word in "$@"; do
            case $word in
                --profile=dev) ;;
                --profile=*) profile=${word#*=} ;;
                --target=*) triple=${word#*=}/ ;;
            esac
        done
        for word in "$@"; do
            case $word in
                --bin=*)
                    mkdir -p "$CARGO_TARGET_DIR/$triple$profile"
                    echo "program ${word#*=}" >"$CARGO_TARGET_DIR/$triple$profile/${word#*=}"
                    ;;
            esac
        done
        ;;
esac
while [ $# -gt 0 ]; do
    case $me:$1 in
        go:-o)
            case $2 in */) mkdir -p "$2" ;; *) mkdir -p "${2%/*}" && touch "$2" ;; esac
            ;;
    esac
    shift
done
