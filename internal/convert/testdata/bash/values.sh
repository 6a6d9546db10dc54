#!/bin/bash
# scoping, status, loops
n=1; h() { local n=5; tunctl -t l$n; }; h; tunctl -t m$n
v() { k=9; }; v; tunctl -t k$k
( k=8 ); tunctl -t kk$k
echo x | k=7; tunctl -t kp$k
for i in 1 2 3; do for j in a b; do [ $j = b ] && continue 2; tunctl -t n$i$j; done; done
for i in 1 2 3; do for j in a b; do [ $i = 2 ] && break 2; tunctl -t o$i$j; done; done
i=0; while true; do i=$((i+1)); tunctl -t wt$i; [ $i -ge 3 ] && break; done
i=5; until [ $i -le 3 ]; do tunctl -t un$i; i=$((i-1)); done
for i in {1..2}; do :; done; tunctl -t post$i
r() { [ $1 -gt 0 ] || return 0; tunctl -t rec$1; r $(($1-1)); }; r 3
a=(x y "z w"); for e in "${a[@]}"; do tunctl -t ar${e// /}; done
b=(p q); b+=(r); for e in ${b[*]}; do tunctl -t br$e; done; tunctl -t bl${#b[@]}
IFS=,; for e in u,v; do tunctl -t ifs$e; done; unset IFS
L="u v"; for e in $L; do tunctl -t sp$e; done
for e in "$L"; do tunctl -t "q${#e}"; done
E=""; for e in $E; do tunctl -t never$e; done
[ "$E" ] && tunctl -t never2 || tunctl -t empty
[ -n "$E" -o 1 = 1 ] && tunctl -t or1
[ ! -n "$E" ] && tunctl -t not1
[[ tapx == tap* ]] && tunctl -t glob1
case abc in a?c) tunctl -t cs1;; esac
case "$L" in "u v") tunctl -t cs2;; *) tunctl -t cs3;; esac
case x in x) ;; esac; case y in (y) tunctl -t cs4 ;; esac
case z in
  # comment
  a|z ) tunctl -t cs5
  ;;
esac
((i=3)); ((i+=2)); ((i++)); tunctl -t ari$i
if ((i > 5)); then tunctl -t ar1; else tunctl -t ar2; fi
for ((q=0, w=1; q<1; q++)); do tunctl -t bad$q; done
for ((q=2;q>0;q--)); do tunctl -t down$q; done
x=$(echo one; echo two); tunctl -t "x${x%%?two}"
y=`expr 3 \* 4`; tunctl -t y$y
z=$((2#11)); tunctl -t z$z
printf -v pf '%02d' 7; tunctl -t pf$pf
test 1 = 2 || tunctl -t t12 && tunctl -t t13
! true || tunctl -t nt1
! false && tunctl -t nt2
true | false || tunctl -t pp1
if false; then tunctl -t i1; elif ! true; then tunctl -t i2; else tunctl -t i3; fi
{ false; true; } && tunctl -t br1
(false) || tunctl -t sub1
fn() { false; }; if fn; then tunctl -t f1; else tunctl -t f2; fi
fn && tunctl -t f3; fn || tunctl -t f4
fn2() { tunctl -t g1; return; tunctl -t g2; }; fn2; tunctl -t g3
tunctl -t A"b"'c'
tunctl -t "d$(printf %s e)f"
D=${D:-dd}; tunctl -t $D; D=${D:-no}; tunctl -t x$D; unset D; tunctl -t ${D:-ee}
W=; tunctl -t ${W:-w1}; tunctl -t w2${W-w3}; tunctl -t ${W:+w4}w5
tunctl -t end # -t no
#tunctl -t com
echo "tunctl -t str"
eval "tunctl -t ev"
true; tunctl -t semi;
if true; then tunctl -t if1; fi; tunctl -t after
exit 0
tunctl -t past
