#!/bin/sh
# Makes a capture of this machine for `planner`, without installing anything. Made by @MAKER@.
#
# It needs sh, sed, sort, tar, gzip and the usual small tools (cat, dd, head, ln, mkdir, mktemp, od, readlink, wc). It reads the
# files of a fixed list, changes nothing on the machine, and writes one archive. Without root it works, too, and says
# what it could not read: addresses in /proc/iomem, configuration space behind byte 64, the firmware's tables.
#
# Serial numbers, MAC addresses, UUIDs and host names are taken out, unless --no-redact is given. A device tree cannot be
# redacted here and is left out; `sh SCRIPT --no-redact` and then `planner capture --from FILE` keep it.
set -u
LC_ALL=C
export LC_ALL

usage() {
    echo 'usage: sh planner-capture.sh [-o FILE] [--force] [--no-redact] [--root DIR]'
    echo '  -o FILE      write the capture there; else to capture.tar.gz'
    echo '  --force      overwrite the file if it exists'
    echo '  --no-redact  leave serial numbers, MAC addresses, UUIDs and host names in'
    echo '  --root DIR   read the tree in DIR instead of this machine'
}

die() {
    printf 'planner-capture: %s\n' "$1" >&2
    exit 2
}

output=capture.tar.gz
force=
redact=yes
root=/
while [ $# -gt 0 ]; do
    case $1 in
    -o) [ $# -gt 1 ] || die '-o needs a file'; output=$2; shift ;;
    --root) [ $# -gt 1 ] || die '--root needs a directory'; root=$2; shift ;;
    --force) force=yes ;;
    --no-redact) redact= ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
case $output in /*) ;; *) output=$PWD/$output ;; esac
if [ -d "$output" ]; then die "$output is a directory"; fi
if [ -z "$force" ] && { [ -e "$output" ] || [ -L "$output" ]; }; then die "$output exists; --force overwrites it"; fi
cd -P "$root" 2>/dev/null || die "$root cannot be entered"
root=$(pwd -P)
root=${root%/}
if [ ! -d sys ] || [ -L sys ]; then die "$root/ has no directory sys"; fi

work=$(mktemp -d) || die 'there is no place for temporary files'
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
work=$(cd -P "$work" && pwd -P)
tree=$work/capture
mkdir "$tree"
: >"$work/lacks"
: >"$work/read"

# Notes what is not as it is on the machine: in which way, path, why.
lack() {
    printf '%s %s: %s\n' "$1" "$2" "$3" >>"$work/lacks"
}

# Sets `name` to a path or the target of a link without the UUIDs that mediated devices and others have as names.
anonymous() {
    name=$1
    [ -n "$redact" ] || return 0
    case $name in
    *-????-????-????-????????????*)
        h='[0-9A-Fa-f]'
        name=$(printf '%s\n' "$name" | sed "s/$h\{8\}-$h\{4\}-$h\{4\}-$h\{4\}-$h\{12\}/00000000-0000-0000-0000-000000000000/g")
        ;;
    esac
}

# Makes the place of a path in the capture and sets `name` and `to`.
place() {
    anonymous "$1"
    [ "$name" = "$1" ] || lack redacted "$name" 'an identifier in the name'
    to=$tree/$name
    case $name in */*) [ -d "${to%/*}" ] || mkdir -p "${to%/*}" ;; esac
}

# The first bytes of a file: path, most bytes.
file() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 0
    place "$1"
    if [ "$1" = sys/firmware/fdt ] && [ -n "$redact" ]; then
        lack left-out "$name" 'a script cannot redact it; planner can'
        return 0
    fi
    if ! head -c "$2" "$1" >"$to" 2>/dev/null; then
        rm -f "$to"
        lack unread "$name" 'it cannot be read; root may read it'
        return 0
    fi
    printf 'read %s\n' "$name" >>"$work/read"
    look_at_part "$1"
    [ -z "$redact" ] || redact_file "$1"
}

# A symbolic link, as it is written.
link() {
    [ -L "$1" ] || return 0
    place "$1"
    path_name=$name
    anonymous "$(readlink "$1")"
    ln -s "$name" "$to" && printf 'read %s\n' "$path_name" >>"$work/read"
}

# That a link or a directory is there.
presence() {
    if [ -L "$1" ]; then
        link "$1"
    elif [ -d "$1" ]; then
        place "$1"
        mkdir -p "$to" && printf 'read %s\n' "$name" >>"$work/read"
    fi
}

# Says so when others than root were shown a part only.
look_at_part() {
    case $1 in
    */config)
        [ "$(wc -c <"$to")" -ne 64 ] || lack partly "$name" 'the first 64 bytes; root reads the rest'
        ;;
    proc/iomem)
        case $(head -c 18 "$to") in
        '00000000-00000000 ') lack partly "$name" 'the names; root reads the addresses' ;;
        esac
        ;;
    esac
}

# Takes what identifies the machine out of the file at `to`.
redact_file() {
    case $1 in
    proc/cmdline) keep_switches ;;
    proc/version) edit 's/([^()]*@[^()]*)/(redacted)/g' 'who built the kernel, and where' ;;
    proc/cpuinfo)
        edit '/^Serial[[:space:]]*:/{
            h
            s/:.*/:/
            x
            s/^[^:]*://
            s/[0-9A-Fa-f]/0/g
            H
            x
            s/\n//
        }' 'the serial number of the processor'
        ;;
    */config) redact_config "$(wc -c <"$to")" ;;
    esac
}

# Changes the file at `to` with sed: commands, what they take out.
edit() {
    sed "$1" "$to" >"$work/edited"
    cmp -s "$to" "$work/edited" && return 0
    cat "$work/edited" >"$to"
    lack redacted "$name" "$2"
}

# Keeps the words of the command line that switch IOMMU, VFIO and PCI.
keep_switches() {
    kept=
    gone=0
    set -f
    for word in $(cat "$to"); do
        case $word in
        *\"*) gone=$((gone + 1)) ;;
@SWITCHES@
        *) gone=$((gone + 1)) ;;
        esac
    done
    set +f
    printf '%s\n' "${kept# }" >"$to"
    [ "$gone" -eq 0 ] || lack redacted "$name" "$gone words that are no switches of IOMMU, VFIO or PCI"
}

# Overwrites the device serial number and the register of Vital Product Data in configuration space of this size.
redact_config() {
    size=$1
    found=
    vital_product_data
    serial_number
    [ -z "$found" ] || lack redacted "$name" "${found#, }"
}

# Capabilities: bit 4 of the status register says that there are any, byte 0x34 where. 3 is Vital Product Data.
vital_product_data() {
    [ "$size" -gt 64 ] || return 0
    set -- $(bytes 6 1) $(bytes 52 1)
    [ $# -eq 2 ] && [ $(($1 & 16)) -ne 0 ] || return 0
    at=$2
    left=@MAX_CAPABILITIES@
    while at=$((at & 252)) && [ "$at" -ge 64 ] && [ "$left" -gt 0 ]; do
        set -- $(bytes "$at" 2)
        [ $# -eq 2 ] || break
        [ "$1" -ne 3 ] || zero $((at + 4)) 4 'the register of Vital Product Data'
        at=$2
        left=$((left - 1))
    done
}

# Extended capabilities: 16 bits of identifier, 4 of version, 12 of the place of the next. 3 is the serial number.
serial_number() {
    at=256
    left=@MAX_EXTENDED@
    while [ "$at" -ge 256 ] && [ "$left" -gt 0 ] && [ $((at + 4)) -le "$size" ]; do
        set -- $(bytes "$at" 4)
        [ $# -eq 4 ] || break
        case "$*" in '0 0 0 0' | '255 255 255 255') break ;; esac
        [ "$1 $2" != '3 0' ] || zero $((at + 4)) 8 'the device serial number'
        at=$((($3 >> 4 | $4 << 4) & 4092))
        left=$((left - 1))
    done
}

# Bytes of the file at `to` as decimal numbers: first, how many.
bytes() {
    od -An -v -tu1 -j "$1" -N "$2" "$to"
}

# Overwrites bytes of the file at `to`, if all are there and one is not zero: first, how many, what they are.
zero() {
    [ $(($1 + $2)) -le "$size" ] || return 0
    case $(bytes "$1" "$2" | tr -d ' 0\n') in '') return 0 ;; esac
    dd if=/dev/zero of="$to" bs=1 seek="$1" count="$2" conv=notrunc 2>/dev/null
    found="$found, $3"
}

# The real directory behind a link, below the root, or nothing.
directory() {
    real=$(cd -P "$1" 2>/dev/null && pwd -P) || return 0
    case $real in "$root"/*) printf '%s\n' "${real#"$root"/}" ;; esac
}

# The directory in which the PCI root bus above a function lies, or nothing.
platform_device() {
    above=$1
    while :; do
        case $above in
        */pci????:?? | */pci?????:??) printf '%s\n' "${above%/*}"; return 0 ;;
        */*) above=${above%/*} ;;
        *) return 0 ;;
        esac
    done
}

# What is read of the directory of an IOMMU.
iommu() {
@IOMMU@
}

# What is read of the directory of a PCI function.
pci_function() {
@FUNCTION@
}

# What is read beside the root bus of a host bridge.
host_bridge() {
@HOST_BRIDGE@
}

@ROOT@

for entry in sys/bus/pci/devices/*; do
    path=$(directory "$entry")
    [ -n "$path" ] || continue
    pci_function "$path"
    bridge=$(platform_device "$path")
    case $bridge in sys/devices/platform/*) host_bridge "$bridge" ;; esac
done
for entry in sys/class/iommu/*; do
    path=$(directory "$entry")
    [ -z "$path" ] || iommu "$path"
done

{
    cat <<'HEADING'
@HEADING@
HEADING
    printf 'maker planner-capture.sh %s\n' '@VERSION@'
    if [ -n "$redact" ]; then echo 'redaction on'; else echo 'redaction off'; fi
    sort -u "$work/lacks"
    sort -u "$work/read"
} >"$tree/MANIFEST"

# GNU tar can leave out names and times; others write what they write.
case $(tar --version 2>/dev/null) in
*GNU*) set -- --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX ;;
*) set -- ;;
esac
tar -C "$work" "$@" -cf "$work/capture.tar" capture || die 'tar failed'
gzip -9n "$work/capture.tar" || die 'gzip failed'
cat "$work/capture.tar.gz" >"$output" || die "$output cannot be written"

sort -u "$work/lacks" | head -n 20 >&2
lacks=$(sort -u "$work/lacks" | wc -l | tr -d ' ')
[ "$lacks" -le 20 ] || printf 'and %s more, all in the MANIFEST\n' $((lacks - 20)) >&2
printf 'wrote %s: %s files, links and directories\n' "$output" "$(sort -u "$work/read" | wc -l | tr -d ' ')" >&2
