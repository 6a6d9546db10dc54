#!/bin/bash
usage() { cat <<EOF
usage: $0 start
tunctl -t nope
EOF
exit 1
}
mk()
{
  case "$1" in
    tap*) case $2 in a) tunctl -t $1;; b|c) ip tuntap add dev $1 mode tap ;& esac ;; # comment
    tun[0-3]) ip tuntap add dev $1 mode tun
       ;;
    *) usage ;;
  esac
}
for d in tap1:a tap2:c tun3:x; do
  IFS=: read n m <<< "$d"
  mk ${d%%:*} ${d##*:}
done
mk tap4 a; mk tun2 || usage
if [[ -n $X && -z $Y ]] || [ "$1" = x -a -n "$2" ]; then tunctl -t c1; fi
if test -z ""; then tunctl -t c2; elif true; then tunctl -t c3; else tunctl -t c4; fi
[ 1 -eq 1 ] && { tunctl -t c5; tunctl -t c6; } || { tunctl -t c7; }
true && tunctl -t c8 || tunctl -t c9
false || tunctl -t c10 && tunctl -t c11
while read l; do tunctl -t $l; done <<EOF
w1
EOF
select x in a b; do tunctl -t sel; done
for x; do tunctl -t fx; done
time tunctl -t c12
{ tunctl -t c13; } 2>/dev/null
if ! { tunctl -t c14; }; then tunctl -t c15; fi
x=1 tunctl -t c16
: ${NAME:=c17}; tunctl -t $NAME
tunctl -t "${NAME}b" # c
tunctl -t ${UNSET}c18
tunctl -t 'c19' -u "$(echo kim)"
( cd /; tunctl -t c20 ) && tunctl -t c21
(tunctl -t c22; exit 1) || tunctl -t c23
f() { return 1; }; f || tunctl -t c24; f && tunctl -t c25
g() { [ "$1" = 1 ]; }; if g 1; then tunctl -t c26; else tunctl -t c27; fi
if g 2; then tunctl -t c28; else tunctl -t c29; fi
set -- a b c; shift; tunctl -t s$1
tunctl -t c30 \
   -u kim
tunctl -t c31
