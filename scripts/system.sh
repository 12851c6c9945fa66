# Functions about the system that the scripts share: Vulkan drivers, packages. Sourced by POSIX sh and bash; does nothing
# by itself. SETUP_ROOT puts another folder in the place of / (the tests of these scripts do that).

SETUP_ROOT=${SETUP_ROOT:-}

say() { printf 'wattmark: %s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

# Folders in which a Vulkan loader looks for driver manifests, one a line.
driver_folders() {
    for folder in /usr/share /usr/local/share /etc /usr/local/etc; do
        printf '%s\n' "$SETUP_ROOT$folder/vulkan/icd.d"
    done
    printf '%s:%s:%s:%s\n' "${XDG_DATA_HOME:-${HOME:-}/.local/share}" "${XDG_DATA_DIRS:-}" \
        "${XDG_CONFIG_HOME:-${HOME:-}/.config}" "${XDG_CONFIG_DIRS:-}" |
        tr ':' '\n' | sed -n "s|^\(/..*\)|$SETUP_ROOT\1/vulkan/icd.d|p"
}

# Driver manifests that a Vulkan loader would use, one a line.
drivers() {
    printf '%s:%s:%s\n' "${VK_DRIVER_FILES:-}" "${VK_ICD_FILENAMES:-}" "${VK_ADD_DRIVER_FILES:-}" | tr ':' '\n' |
        while read -r file; do
            if [ -d "$file" ]; then manifests_in "$file"; elif [ -f "$file" ]; then printf '%s\n' "$file"; fi
        done
    if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
        driver_folders | while read -r folder; do manifests_in "$folder"; done
    fi
}

manifests_in() {
    for file in "$1"/*.json; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
}

# Where NVIDIA's driver lies when a container runtime mounts it outside the loader's path.
off_path_driver() { manifests_in "$SETUP_ROOT/usr/local/nvidia/share/vulkan/icd.d"; }

# Points the loader at a driver outside its path, when it would find none otherwise.
use_off_path_driver() {
    if [ -z "$(drivers)" ] && [ -n "$(off_path_driver)" ]; then
        VK_DRIVER_FILES=$(off_path_driver | paste -sd: -)
        export VK_DRIVER_FILES
    fi
}

# True if the Vulkan loader libvulkan.so.1 is on this system.
have_loader() {
    if [ -z "$SETUP_ROOT" ] && { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q 'libvulkan\.so\.1'; then
        return 0
    fi
    for file in "$SETUP_ROOT"/usr/lib/libvulkan.so.1 "$SETUP_ROOT"/usr/lib64/libvulkan.so.1 \
        "$SETUP_ROOT"/usr/lib/*/libvulkan.so.1 "$SETUP_ROOT"/lib/*/libvulkan.so.1 \
        "$SETUP_ROOT"/usr/local/lib/libvulkan.so.1 "$SETUP_ROOT"/usr/local/lib/*/libvulkan.so.1; do
        if [ -e "$file" ]; then return 0; fi
    done
    return 1
}

# Family of the system: debian, fedora, arch, alpine, suse, macos, windows or unknown.
family() {
    case ${SETUP_KERNEL:-$(uname -s)} in
        Darwin) echo macos && return ;;
        MINGW* | MSYS* | CYGWIN*) echo windows && return ;;
    esac
    # shellcheck disable=SC1091
    names=$(ID='' ID_LIKE='' && . "$SETUP_ROOT/etc/os-release" 2>/dev/null && echo "$ID $ID_LIKE") || names=''
    case " $names " in
        *" debian "* | *" ubuntu "*) echo debian ;;
        *" fedora "* | *" rhel "*) echo fedora ;;
        *" arch "*) echo arch ;;
        *" alpine "*) echo alpine ;;
        *" suse "* | *" opensuse "*) echo suse ;;
        *) echo unknown ;;
    esac
}

# What a user types to install packages: install_command DEBIAN FEDORA ARCH ALPINE SUSE MACOS.
install_command() {
    case $(family) in
        debian) echo "sudo apt-get install $1" ;;
        fedora) echo "sudo dnf install $2" ;;
        arch) echo "sudo pacman -S $3" ;;
        alpine) echo "sudo apk add $4" ;;
        suse) echo "sudo zypper install $5" ;;
        macos) echo "brew install $6" ;;
        *) echo "your system's package of $1 (the name is Debian's)" ;;
    esac
}

# True if packages may be installed without asking: apt-get, and root or sudo without a password.
may_install() {
    [ "$(family)" = debian ] && [ "${WATTMARK_NO_INSTALL:-}" = "" ] && have apt-get &&
        { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

apt() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "$@"
    fi
}

# Installs Debian packages. The package lists are fetched only when the first attempt fails.
install_packages() {
    log=$(mktemp)
    if apt install -y --no-install-recommends "$@" >"$log" 2>&1 ||
        { apt update >>"$log" 2>&1 && apt install -y --no-install-recommends "$@" >>"$log" 2>&1; }; then
        rm -f "$log"
        return 0
    fi
    say "apt-get could not install $*; the end of what it said:"
    tail -n 15 "$log" >&2
    rm -f "$log"
    return 1
}
