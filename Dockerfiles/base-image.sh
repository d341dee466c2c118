#!/usr/bin/env bash
# Makes sure that the engine has debian:SUITE-slim: it is used if present, else pulled, else made here from Debian's packages, so
# that neither a registry nor an account is needed.
#
#   Dockerfiles/base-image.sh [SUITE]...        bookworm (default), bullseye, trixie
#
# DEBIAN_MIRROR   where debootstrap gets its packages (default http://deb.debian.org/debian)
# PULL_TIMEOUT    seconds that a pull may take (default 60)
# TMPDIR          needs about 500 MB for a moment, on a file system without `nodev` and `noexec`
#
# Does nothing, quickly, when called again. Exit code 3 if the image can't be had.
set -euo pipefail

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
pull_timeout=${PULL_TIMEOUT:-60}
work=

say() { printf 'base image: %s\n' "$*" >&2; }
fail() {
    say "$1"
    [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
    exit 3
}

# debootstrap mounts /proc in the target and may be interrupted before it unmounts it.
clean_up() {
    [ -n "$work" ] || return 0
    local mounted
    while read -r mounted; do
        umount --lazy "$mounted" || true
    done < <(awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort --reverse)
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_debootstrap() {
    [ ! -x "$(PATH=$PATH:/usr/sbin:/sbin command -v debootstrap)" ] || return 0
    command -v apt-get > /dev/null || fail 'debootstrap is missing' 'install debootstrap with your package manager'
    say 'installing debootstrap'
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap debian-archive-keyring; } >&2 \
        || fail 'apt-get could not install debootstrap'
}

# What the official slim images differ in from a plain minbase: apt keeps no caches, no service starts when it is installed, no
# documentation is unpacked, and updates come from the same places.
configure() {
    local root=$1 suite=$2
    echo "deb $mirror $suite main" > "$root/etc/apt/sources.list"
    # Not every mirror has these, nor every release any more, and `apt-get update` fails over a line that leads nowhere.
    local source
    for source in "$mirror $suite-updates" "${mirror%/debian}/debian-security $suite-security"; do
        if wget --quiet --spider --timeout=10 --tries=2 "${source% *}/dists/${source#* }/Release"; then
            echo "deb $source main" >> "$root/etc/apt/sources.list"
        fi
    done
    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    cat > "$root/etc/apt/apt.conf.d/docker" <<'CONF'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Apt::AutoRemove::SuggestsImportant "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
CONF
    cat > "$root/etc/dpkg/dpkg.cfg.d/docker" <<'CONF'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
CONF
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    find "$root/usr/share/doc" -type l -delete
    find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
    rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
        "$root"/var/cache/ldconfig/aux-cache "$root"/var/lib/dpkg/*-old "$root"/debootstrap
    find "$root/var/log" -type f -delete
    rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
    : > "$root/etc/machine-id"
}

make_image() {
    local suite=$1 image=$2
    [ "$(id -u)" -eq 0 ] || fail "\`$image\` can be neither found nor pulled, and only root can make it" \
        "run \`sudo $0 $suite\`, or \`docker load\` or \`docker tag\` an image of that name"
    install_debootstrap
    work=$(mktemp --directory --tmpdir base-image.XXXXXXXX)
    chmod 755 "$work"
    local root=$work/root
    local arguments=(--variant=minbase "$suite" "$root" "$mirror")
    # An older debootstrap has no script of a newer release; they are all the same.
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || arguments+=(/usr/share/debootstrap/scripts/sid)
    say "making \`$image\` with debootstrap from $mirror (a minute or two)"
    if ! PATH=$PATH:/usr/sbin:/sbin debootstrap "${arguments[@]}" > "$work/log" 2>&1; then
        tail -n 20 "$work/log" >&2
        tail -n 5 "$root/debootstrap/debootstrap.log" >&2 2> /dev/null || true
        fail "debootstrap failed for \`$suite\`" 'is the mirror reachable? another one can be given as DEBIAN_MIRROR'
    fi
    configure "$root" "$suite"
    tar --create --directory="$root" --numeric-owner --sort=name --one-file-system . \
        | docker import --change 'CMD ["bash"]' --message "debootstrap --variant=minbase $suite" - "$image" > /dev/null \
        || fail "docker could not import \`$image\`"
    clean_up
    work=
    say "\`$image\` is made"
}

ensure() {
    local suite=$1
    local image=debian:$suite-slim
    if docker image inspect "$image" > /dev/null 2>&1; then
        return 0
    fi
    say "pulling \`$image\`"
    if timeout --kill-after=5 "$pull_timeout" docker pull --quiet "$image" > /dev/null 2>&1; then
        return 0
    fi
    say 'it cannot be pulled here'
    make_image "$suite" "$image"
}

[ $# -gt 0 ] || set -- bookworm
for suite in "$@"; do
    case $suite in
        bookworm | bullseye | trixie) ;;
        -h | --help) sed -n '2,/^set/{/^#/{s/^# \{0,1\}//;p}}' "$0" && exit 0 ;;
        *)
            say "unknown suite \`$suite\`: bookworm, bullseye or trixie"
            exit 2
            ;;
    esac
done
docker info > /dev/null 2>&1 || fail 'the Docker daemon does not answer' 'run .ci/docker first'
for suite in "$@"; do
    ensure "$suite"
done
