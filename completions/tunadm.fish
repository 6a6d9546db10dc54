# Completion of tunadm(8) for fish. What is typed is compared, and handed on as one word; it is never evaluated.

# __tunadm_is tells whether the verb of the command line is one of its arguments; none: no word has been typed yet.
function __tunadm_is
    set -l words (commandline -opc)
    set -l verb none
    if set -q words[2]
        switch $words[2]
            case a
                set verb add
            case del rm
                set verb delete
            case ls '-*'
                set verb list
            case '*'
                set verb $words[2]
        end
    end
    contains -- $verb $argv
end

# __tunadm_netns prints the network namespace on the command line as the value of the flag that is its argument.
function __tunadm_netns
    set -l words (commandline -opc)
    set -l ns
    while set -q words[1]
        switch $words[1]
            case --
                break
            case --netns
                set ns $words[2]
                set -e words[1]
            case '--netns=*'
                set ns (string replace -- --netns= '' $words[1])
        end
        set -e words[1]
    end
    test -z "$ns"; or printf '%s\n' $argv$ns
end

# __tunadm_devices prints the live devices not named yet. list escapes their names, which %b undoes. Only -- makes a name of "-x".
function __tunadm_devices
    type -q tunadm; or return
    set -l words (commandline -opc)
    for name in (tunadm list --names (__tunadm_netns --netns=) 2>/dev/null)
        string match -q -- '-*' $name; and not contains -- -- $words; and continue
        set name (printf '%b' $name)
        contains -- $name $words; or printf '%s\n' $name
    end
end

# __tunadm_as tells whether the old tool in the line of as is its argument; none: it has not been typed yet.
function __tunadm_as
    __tunadm_is as; or return
    set -l words (commandline -opc)
    set -l tool (string match -v -- '-*' $words[3..])
    set -q tool[1]; or set tool none
    test (string replace -r '.*/' '' -- $tool[1]) = $argv[1]
end

function __tunadm_as_flags
    __tunadm_as none
end

# __tunadm_unnamed tells whether the verb is one that takes one device, and none is named yet.
function __tunadm_unnamed
    __tunadm_is doctor dump echo tunnel; or return
    set -l words (commandline -opc)
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case --user --netns --count --write --listen --connect
                set -e words[1]
            case --
                not set -q words[2]
                return
            case '-*'
            case '*'
                return 1
        end
        set -e words[1]
    end
end

# __tunadm_exec_own tells whether the verb is exec, and its program's line has not begun.
function __tunadm_exec_own
    __tunadm_is exec; or return
    not contains -- -- (commandline -opc)
end

# __tunadm_program completes the line behind exec's --.
function __tunadm_program
    set -l words (commandline -opc)
    set -l ended (contains -i -- -- $words)
    complete -C (string join ' ' -- (string escape -- $words[(math $ended + 1)..]) (commandline -ct))
end

function __tunadm_masters
    type -q ip; or return
    set -l ns (__tunadm_netns '')
    set -q ns[1]; and set -p ns -n
    for kind in bridge vrf
        ip $ns -o link show type $kind 2>/dev/null | string replace -rf '^\d+: ([^@ ]+?)(@[^ ]*)?: .*' '$1'
    end
end

function __tunadm_namespaces
    command ls /run/netns 2>/dev/null
    string match -q '*/*' -- (commandline -ct); and __fish_complete_path (commandline -ct)
end

complete -c tunadm -f
complete -c tunadm -n '__tunadm_is none' -l version -d 'Print the version'
for verb in 'add\tCreate persistent devices' 'a\tadd' 'set\tChange devices' 'delete\tRemove devices that nobody uses' 'del\tdelete' \
        'rm\tdelete' 'list\tShow devices, a line each' 'ls\tlist' 'show\tShow everything known of devices' \
        'apply\tMake the devices as files declare them' 'teardown\tDelete what apply created' 'export\tPrint devices as a file' \
        'doctor\tSay why a device does not work' 'watch\tTell what happens to devices' 'exec\tRun a program with queues of devices' \
        'dump\tPrint packets, or write pcapng' 'echo\tAnswer pings' 'loop\tLead traffic of this host through two tuns' 'tunnel\tCarry packets to another host, in clear text' 'as\tDo what a line of an old tool does'
    complete -c tunadm -n '__tunadm_is none' -a "'"(printf $verb)"'"
    complete -c tunadm -n '__tunadm_is help; and test (count (commandline -opc)) = 2' -a "'"(printf $verb)"'"
end
complete -c tunadm -n '__tunadm_is none' -a help -d 'Show the flags of a verb'
complete -c tunadm -n '__tunadm_is set delete list show export watch; or __tunadm_unnamed; or __tunadm_exec_own' -a '(__tunadm_devices)' -d Device
complete -c tunadm -n '__tunadm_is apply teardown' -F
complete -c tunadm -n '__tunadm_is exec; and not __tunadm_exec_own' -x -a '(__tunadm_program)'
complete -c tunadm -n '__tunadm_is none add set delete list show apply teardown export doctor watch dump echo loop tunnel; or __tunadm_as_flags; or __tunadm_exec_own' -s h -l help -d 'Show help'
complete -c tunadm -n '__tunadm_is none add set delete list show apply teardown export doctor watch dump echo loop tunnel; or __tunadm_exec_own' -l netns \
    -x -a '(__tunadm_namespaces)' -d 'Work inside a network namespace'

complete -c tunadm -n '__tunadm_is add delete' -l mode -x -a 'tun tap' -d 'Packets or Ethernet frames'
complete -c tunadm -n '__tunadm_is add' -l multi-queue -d 'Several queues at once'
complete -c tunadm -n '__tunadm_is add' -l vnet-hdr -d 'Start with virtio headers'
complete -c tunadm -n '__tunadm_is add' -l pi -d 'Start with packet information'
complete -c tunadm -n '__tunadm_is add' -l if-missing -d 'A device that is as asked is as good as a new one'

complete -c tunadm -n '__tunadm_is add set' -l user -x -a '(__fish_complete_users)' -d 'Who may attach'
complete -c tunadm -n '__tunadm_is add set' -l group -x -a '(__fish_complete_groups)' -d 'The group that may attach'
complete -c tunadm -n '__tunadm_is add set' -l anyone -d 'Every local user may attach'
complete -c tunadm -n '__tunadm_is add set' -l address -x -d 'Have an address'
complete -c tunadm -n '__tunadm_is add set' -l route -x -d 'Route through the device'
complete -c tunadm -n '__tunadm_is add set loop' -l mtu -x -d 'Largest packet, in bytes'
complete -c tunadm -n '__tunadm_is add set' -l mac -x -d 'Ethernet address of a tap'
complete -c tunadm -n '__tunadm_is add set' -l txqueuelen -x -d 'Queue towards the program, in packets'
complete -c tunadm -n '__tunadm_is add set' -l alias -x -d 'A text of yours'
complete -c tunadm -n '__tunadm_is add set' -l master -x -a '(__tunadm_masters)' -d 'Join a bridge or a VRF'
complete -c tunadm -n '__tunadm_is add set' -l no-master -d 'Be in no bridge and no VRF'
complete -c tunadm -n '__tunadm_is add set' -l promisc -x -a 'on off' -d 'Receive all frames'
complete -c tunadm -n '__tunadm_is add set' -l multicast -x -a 'on off' -d 'Take part in multicast'
complete -c tunadm -n '__tunadm_is add set' -l up -d 'Switch the device on'
complete -c tunadm -n '__tunadm_is add set' -l down -d 'Switch the device off'

complete -c tunadm -n '__tunadm_is set' -l add-address -x -d 'Have one more address'
complete -c tunadm -n '__tunadm_is set' -l remove-address -x -d 'Have one address less'
complete -c tunadm -n '__tunadm_is set' -l add-route -x -d 'Have one more route'
complete -c tunadm -n '__tunadm_is set' -l remove-route -x -d 'Have one route less'
complete -c tunadm -n '__tunadm_is delete' -l if-exists -d 'An absent device is as good as a deleted one'
complete -c tunadm -n '__tunadm_is delete' -l force -d 'Take it from the program that uses it'
complete -c tunadm -n '__tunadm_is teardown' -l force -d 'Take devices from their programs, and those that apply did not create'
complete -c tunadm -n '__tunadm_is apply' -l prune -d 'Delete what is declared no more'
complete -c tunadm -n '__tunadm_is apply' -l atomic -d 'If one device fails, put all back'
complete -c tunadm -n '__tunadm_is apply' -l replace -d 'Make anew what can never be as declared'
complete -c tunadm -n '__tunadm_is apply' -l defer-master -d 'Leave out a master that does not exist yet'
complete -c tunadm -n '__tunadm_is export' -l format -x -a 'toml ip networkd' -d 'For which tool'

complete -c tunadm -n '__tunadm_is doctor' -l user -x -a '(__fish_complete_users)' -d 'Answer for this user'
complete -c tunadm -n '__tunadm_is doctor' -s v -l verbose -d 'Print also what is right'

complete -c tunadm -n __tunadm_exec_own -l user -x -a '(__fish_complete_users)' -d 'Run the program as this user'
complete -c tunadm -n __tunadm_exec_own -l new-privileges -d 'Set-user-ID programs still work'
complete -c tunadm -n __tunadm_exec_own -l ambient -x -a 'net_admin net_raw net_bind_service' -d 'Keep this capability'
complete -c tunadm -n __tunadm_exec_own -l vnet-hdr -d 'Virtio headers before packets'
complete -c tunadm -n __tunadm_exec_own -l pi -d 'Packet information before packets'

complete -c tunadm -n '__tunadm_is dump' -l count -x -d 'End after so many packets'
complete -c tunadm -n '__tunadm_is dump' -l hex -d 'Print also the bytes'
complete -c tunadm -n '__tunadm_is dump' -l write -r -F -d 'Write pcapng'

complete -c tunadm -n '__tunadm_is echo' -s v -l verbose -d 'Print each packet'
complete -c tunadm -n '__tunadm_is tunnel' -l plain -d 'Yes, in clear text'
complete -c tunadm -n '__tunadm_is tunnel' -l listen -x -d 'Wait for the other host on this address'
complete -c tunadm -n '__tunadm_is tunnel' -l connect -x -a '(__fish_print_hostnames)' -d 'Call the other host'
complete -c tunadm -n '__tunadm_is tunnel' -l udp -d 'A packet a datagram'
complete -c tunadm -n '__tunadm_is tunnel' -l peer -x -d 'Hear this address alone'
complete -c tunadm -n '__tunadm_is tunnel' -s v -l verbose -d 'Print who comes and goes'
complete -c tunadm -n '__tunadm_is loop' -l a -x -d 'Address of one end'
complete -c tunadm -n '__tunadm_is loop' -l a-device -x -a '(__tunadm_devices)' -d 'A free tun for this end'
complete -c tunadm -n '__tunadm_is loop' -l b -x -d 'Address of the other end'
complete -c tunadm -n '__tunadm_is loop' -l b-device -x -a '(__tunadm_devices)' -d 'A free tun for this end'
complete -c tunadm -n '__tunadm_is loop' -l clean -d 'Remove what a loop left that was killed'

complete -c tunadm -n __tunadm_as_flags -l explain -d 'Print the line of tunadm that does the same'
complete -c tunadm -n __tunadm_as_flags -a 'tunctl openvpn ip' -d 'Old tool'
complete -c tunadm -n '__tunadm_as tunctl' -a '-b -n -p -u -g -t -d -f'
complete -c tunadm -n '__tunadm_as openvpn' -a '--mktun --rmtun --dev --dev-type --dev-node --user --group --lladdr --txqueuelen --tun-mtu'
complete -c tunadm -n '__tunadm_as ip' -a 'tuntap add del show mode tun tap dev name user group one_queue pi vnet_hdr multi_queue'

complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -l dry-run -d 'Print the steps, and do nothing'
complete -c tunadm -n '__tunadm_is add set delete apply teardown' -l check -d 'As --dry-run, and exit 8 if there is anything to do'
complete -c tunadm -n '__tunadm_is none add set delete list show apply teardown doctor watch' -l json -d 'Print JSON'
complete -c tunadm -n '__tunadm_is none list' -l names -d 'Print the names only'
complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -s v -l verbose -d 'Print each step as it is done'
complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -s q -l quiet -d 'Print errors only'
