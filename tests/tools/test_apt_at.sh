#!/bin/sh
# The package sources that tools/apt-at makes from a machine's own, in the forms that they come in.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
etc=$(mktemp -d)
trap 'rm -rf "$etc"' EXIT
mkdir -p "$etc/apt/sources.list.d"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
failed=0

machine() {
    rm -rf "$etc/apt"
    mkdir -p "$etc/apt/sources.list.d"
    printf 'ID=debian\nVERSION_CODENAME=%s\n' "$1" > "$etc/os-release"
}

# The list for trixie must be what stands on stdin.
expect() {
    cat > "$etc/want"
    LIMPET_ETC=$etc "$root/tools/apt-at" trixie deb-src list > "$etc/got"
    if ! diff -u "$etc/want" "$etc/got"; then
        echo "not as expected: $1"
        failed=1
    fi
}

machine bookworm
cat > "$etc/apt/sources.list" <<EOF
# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib # the mirror
deb-src http://mirror.example/debian/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-bookworm-stable.gpg] http://a.example/debian bookworm-updates main
	deb  http://security.example/debian-security   bookworm-security  main non-free
deb http://mirror.example/debian bookworm-backports main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb [signed-by=/etc/apt/keyrings/other.asc] http://other.example/debian bookworm main
deb http://tool.example/linux/debian bookworm stable
deb http://flat.example/repo ./
EOF
expect "one-line entries" <<EOF
deb-src [signed-by=$keyring] http://mirror.example/debian/ trixie main
deb-src [signed-by=/usr/share/keyrings/debian-archive-trixie-stable.gpg] http://a.example/debian trixie-updates main
deb-src [signed-by=$keyring] http://security.example/debian-security trixie-security main
EOF

machine bookworm
cat > "$etc/apt/sources.list.d/debian.sources" <<EOF
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
  http://second.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: $keyring

Types: deb
URIs: mirror+file:///etc/apt/mirrors/security.list
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
EOF
cat > "$etc/apt/sources.list.d/vendor.sources" <<EOF
Types: deb
URIs: http://vendor.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
EOF
expect "deb822 entries" <<EOF
deb-src [signed-by=$keyring] http://mirror.example/debian trixie main
deb-src [signed-by=$keyring] http://mirror.example/debian trixie-updates main
deb-src [signed-by=$keyring] http://second.example/debian trixie main
deb-src [signed-by=$keyring] http://second.example/debian trixie-updates main
deb-src [signed-by=$keyring] mirror+file:///etc/apt/mirrors/security.list trixie-security main
EOF

machine trixie
cat > "$etc/apt/sources.list" <<EOF
deb http://mirror.example/debian stable main
deb http://mirror.example/debian trixie main
deb http://mirror.example/debian testing-updates main
EOF
expect "trixie itself, and aliases" <<EOF
deb-src [signed-by=$keyring] http://mirror.example/debian trixie main
deb-src [signed-by=$keyring] http://mirror.example/debian trixie-updates main
EOF

machine bookworm
expect "no entry at all" < /dev/null
if LIMPET_ETC=$etc "$root/tools/apt-at" none deb update > "$etc/got" 2>&1; then
    echo "not as expected: update without entries succeeds"
    failed=1
fi
grep -q 'no Debian entry' "$etc/got" || failed=1
rm -rf "$root/build/apt/none-deb"
exit "$failed"
