# The content of the package for Arch Linux.
PREFIX        = /usr
LICENSEDIR    = /usr/share/licenses/tunadm
COMPRESS      = yes
WITH_systemd  = yes
WITH_openrc   = no
WITH_sysv     = no
WITH_ifupdown = no
WITH_cni      = no
