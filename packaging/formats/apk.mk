# The content of the package for Alpine Linux, which has OpenRC.
PREFIX        = /usr
LICENSEDIR    = /usr/share/licenses/tunadm
COMPRESS      = yes
WITH_systemd  = no
WITH_openrc   = yes
WITH_sysv     = no
WITH_ifupdown = no
WITH_cni      = no
