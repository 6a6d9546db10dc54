# The content of the deb: Debian's directories, units, the script for System V, and the hook of ifupdown. Debian has the
# text of the Apache License in one place.
PREFIX        = /usr
ZSHCOMPDIR    = /usr/share/zsh/vendor-completions
LICENSES      = packaging/debian/copyright
COMPRESS      = yes
WITH_systemd  = yes
WITH_openrc   = no
WITH_sysv     = yes
WITH_ifupdown = yes
WITH_cni      = no
