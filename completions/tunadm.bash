# shellcheck shell=bash
# Completion of tunadm(8) for bash. Typed words are compared and passed on as single words, never evaluated.

# _tunadm_values offers the lines of its input that begin with the typed word and are not on the line yet.
_tunadm_values() {
    local value word
    while IFS= read -r value; do
        [[ $value == "$cur"* ]] || continue
        [[ $quoted && $value == *[\\\$\`\"\'\!]* || $quoted && $value == *[![:print:]]* ]] && continue
        for word in "${named[@]}"; do
            [[ $word == "$value" ]] && continue 2
        done
        [[ $quoted ]] || printf -v value %q "$value"
        COMPREPLY+=("$prefix$value")
    done
}

# _tunadm_devices prints the existing devices. list escapes names, and %b undoes this. A name that begins with - is
# offered only after --.
_tunadm_devices() {
    local name
    tunadm list --names ${ns:+--netns="$ns"} 2>/dev/null </dev/null | while IFS= read -r name; do
        [[ $name == -* && ! $ended ]] || printf '%b\n' "$name"
    done
}

# _tunadm_masters prints the bridges and the VRFs.
_tunadm_masters() {
    local kind name
    for kind in bridge vrf; do
        ip ${ns:+-n "$ns"} -o link show type "$kind" 2>/dev/null | while IFS=' ' read -r _ name _; do
            name=${name%:}
            printf '%s\n' "${name%%@*}"
        done
    done
}

# _tunadm_files offers files and directories. Readline quotes them, and appends a slash to a directory.
_tunadm_files() {
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do
        COMPREPLY+=("$file")
    done < <(compgen -f -- "$cur")
}

# _tunadm_old completes the line of as: its flags, the old tool, and the arguments of the tool.
_tunadm_old() {
    local i=2 old=()
    while ((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == -* ]]; do ((i++)); done
    if ((i == COMP_CWORD)); then
        if [[ $cur == -* ]]; then old=(--explain --help -h); else old=(tunctl openvpn ip); fi
    else
        case ${COMP_WORDS[i]##*/} in
            tunctl) old=(-b -n -p -u -g -t -d -f) ;;
            openvpn) old=(--mktun --rmtun --dev --dev-type --dev-node --user --group --lladdr --txqueuelen --tun-mtu) ;;
            ip) old=(tuntap add del show mode tun tap dev name user group one_queue pi vnet_hdr multi_queue) ;;
            *) return ;;
        esac
    fi
    _tunadm_values < <(printf '%s\n' "${old[@]}")
}

_tunadm() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb='' flag='' ns='' ended='' prefix='' quoted='' word file i
    local valued='mode|user|group|address|route|mtu|mac|txqueuelen|alias|master|promisc|multicast|netns|format|for'
    valued+='|count|set|wait|name|write|columns|sort|color|interval|listen|connect|peer|a|b|a-device|b-device'
    valued+='|from|to|proto|port|ambient'
    valued="^--($valued|(add|remove)-(address|route))\$"
    local -a named=() flags=() change=(--dry-run --check --json --netns --verbose -v --quiet -q --help -h)
    local -a properties=(--user --group --anyone --address --route --mtu --mac --txqueuelen --alias --master --no-master
        --promisc --multicast --up --down)
    local -a columns=(name mode state access mtu mac master addresses in-use-by index txqueuelen queues alias routes \
        netns rx-packets rx-bytes rx-dropped tx-packets tx-bytes tx-dropped)
    COMPREPLY=()
    if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} == as ]]; then
        [[ $cur == [\'\"]* ]] && quoted=1
        cur=${cur//[\'\"\\]/}
        _tunadm_old
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]//[\'\"\\]/}
        if [[ $flag && $word == '=' ]]; then # bash splits --flag=value into three words
            continue
        elif [[ $flag ]]; then
            [[ $flag == --netns ]] && ns=$word
            flag=''
        elif [[ $ended || $word != -?* ]]; then
            if ((i == 1)); then verb=$word; else named+=("$word"); fi
        elif [[ $word == -- ]]; then
            ended=1
        elif [[ $word == --netns=* ]]; then # unless COMP_WORDBREAKS lacks the =
            ns=${word#*=}
        elif [[ $word =~ $valued ]]; then
            flag=$word
        fi
    done
    if [[ $flag && $cur == '=' ]]; then
        cur=''
    elif [[ ! $flag && ! $ended && $cur == --*=* ]]; then
        flag=${cur%%=*} prefix=${cur%%=*}= cur=${cur#*=}
    fi
    [[ $cur == [\'\"]* ]] && quoted=1
    cur=${cur//[\'\"\\]/}
    [[ $flag ]] && named=()
    case $flag in
        --mode) _tunadm_values <<<$'tun\ntap' ;;
        --format) _tunadm_values <<<$'toml\nip\nnetworkd' ;;
        --from)
            [[ $verb != import ]] ||
                _tunadm_values <<<$'ifupdown\nnetplan\nnetworkd\nnetworkmanager\nopenwrt\nscript\nunit'
            ;;
        --columns)
            [[ $cur == *,* ]] && prefix+=${cur%,*}, cur=${cur##*,}
            _tunadm_values < <(printf '%s\n' "${columns[@]}")
            ;;
        --sort) _tunadm_values < <(printf '%s\n' "${columns[@]}") ;;
        --proto) _tunadm_values <<<$'icmp\ntcp\nudp' ;;
        --ambient) _tunadm_values <<<$'net_admin\nnet_raw\nnet_bind_service' ;;
        --color) _tunadm_values <<<$'auto\nalways\nnever' ;;
        --promisc | --multicast) _tunadm_values <<<$'on\noff' ;;
        --write) _tunadm_files ;;
        --user) _tunadm_values < <(compgen -u) ;;
        --group) _tunadm_values < <(compgen -g) ;;
        --master) _tunadm_values < <(_tunadm_masters) ;;
        --listen) _tunadm_values <<<$'127.0.0.1\n0.0.0.0' ;;
        --a-device | --b-device) _tunadm_values < <(_tunadm_devices) ;;
        --netns) _tunadm_values < <(
            [[ ${verb:-list} == @(list|ls|metrics) ]] && echo all
            if [[ $cur == */* ]]; then compgen -f -- "$cur"; else cd /run/netns && compgen -f; fi 2>/dev/null
        ) ;;
    esac
    [[ $flag ]] && return
    case ${verb:-list} in
        add | a) flags=(--mode --multi-queue --vnet-hdr --pi "${properties[@]}" --if-missing "${change[@]}") ;;
        set) flags=("${properties[@]}" --name --add-address --remove-address --add-route --remove-route \
            "${change[@]}") ;;
        delete | del | rm) flags=(--mode --if-exists --force "${change[@]}") ;;
        list | ls) flags=(--json --names --columns --sort --stats --tree --wide --color --netns --help -h) ;;
        show) flags=(--json --color --netns --help -h) ;;
        top) flags=(--count --interval --netns --help -h) ;;
        apply) flags=(--prune --set --atomic --replace --defer-master --wait "${change[@]}") ;;
        status) flags=(--set --json --netns --help -h) ;;
        teardown) flags=(--force --if-valid --set "${change[@]}") ;;
        export) flags=(--format --with-bridges --netns --help -h) ;;
        import) flags=(--from --help -h) ;;
        doctor) flags=(--user --to --from --proto --port --watch --json --netns --verbose -v --quiet -q --help -h) ;;
        metrics) flags=(--write --netns --help -h) ;;
        trace) flags=(--for --count --json --netns --verbose -v --help -h) ;;
        watch) flags=(--json --netns --help -h) ;;
        dump) flags=(--count --hex --no-time -t --force --write --netns --help -h) ;;
        hold) flags=(--netns --help -h) ;;
        echo) flags=(--verbose -v --netns --help -h) ;;
        exec) flags=(--user --new-privileges --ambient --vnet-hdr --pi --netns --help -h) ;;
        tunnel) flags=(--plain --listen --connect --udp --peer --netns --verbose -v --help -h) ;;
        loop) flags=(--a --a-device --b --b-device --mtu --clean --dry-run --netns --verbose -v --quiet -q --help -h) ;;
        help) flags=() ;;
        *) return ;;
    esac
    if [[ $cur == -* && ! $ended ]]; then
        ((COMP_CWORD > 1)) || flags+=(--version)
        named=()
        _tunadm_values < <(printf '%s\n' "${flags[@]}")
    elif ((COMP_CWORD == 1)); then
        _tunadm_values < <(printf '%s\n' add a set delete del rm list ls show top apply status teardown export \
            import doctor trace metrics watch exec dump echo hold loop tunnel as help)
    elif [[ $verb == help ]]; then
        ((COMP_CWORD > 2)) || _tunadm_values < <(printf '%s\n' add a set delete del rm list ls show top apply \
            status teardown export import doctor trace metrics watch exec dump echo hold loop tunnel as)
    elif [[ $verb == exec && $ended && ${COMP_WORDS[COMP_CWORD - 1]} == -- ]]; then
        _tunadm_values < <(compgen -c -- "$cur" | sort -u)
    elif [[ $verb == @(apply|status|teardown|import) || $verb == exec && $ended ]]; then
        _tunadm_files
    elif [[ $verb == loop ]]; then
        [[ ! $ended ]] || _tunadm_values < <(compgen -c -- "$cur")
    elif [[ $verb != add && $verb != a && ! ($verb =~ ^(doctor|trace|dump|echo|tunnel)$ && ${#named[@]} -gt 0) ]]; then
        _tunadm_values < <(_tunadm_devices)
    fi
}

complete -F _tunadm tunadm
