# shellcheck shell=bash
# Debian packages: which are missing, and how they are installed without anything of them being
# started. Sourced by deploy/test.sh and deploy/dev/fleet.sh.

# missing_packages PACKAGE…: those that are not installed, one a line.
missing_packages() {
    local package
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done
}

# install_packages PACKAGE…: installs those that are missing, without starting or enabling any of
# their services. Runs in a subshell, so that its clean-up is done whatever happens.
install_packages() (
    local missing policy=/usr/sbin/policy-rc.d
    mapfile -t missing < <(missing_packages "$@")
    if [ ${#missing[@]} -eq 0 ]; then
        echo "all here"
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "these packages are missing, and only root can install them: ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        # Its package would make a cluster of its own.
        apt_install postgresql-common || {
            apt-get -qq update
            apt_install postgresql-common
        }
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
            /etc/postgresql-common/createcluster.conf
    fi
    # The lab brings its own configuration; a system-wide one would only be in the way.
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    apt_install "${missing[@]}" || {
        apt-get -qq update
        apt_install "${missing[@]}"
    }
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable dovecot.service postfix.service rabbitmq-server.service \
            postgresql.service prometheus.service 2>/dev/null || true
    fi
)

apt_install() {
    local log
    log=$(mktemp)
    if apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
}
