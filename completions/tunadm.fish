# Completion of tunadm(8) for fish. Typed words are compared and passed on as single words, never evaluated.

# __tunadm_is succeeds if the verb of the command line is one of its arguments; none: no word has been typed yet.
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

# __tunadm_devices prints the existing devices that are not on the line yet. list escapes names, and %b undoes this. A
# name that begins with - is offered only after --.
function __tunadm_devices
    type -q tunadm; or return
    set -l words (commandline -opc)
    for name in (tunadm list --names (__tunadm_netns --netns=) 2>/dev/null)
        string match -q -- '-*' $name; and not contains -- -- $words; and continue
        set name (printf '%b' $name)
        contains -- $name $words; or printf '%s\n' $name
    end
end

# __tunadm_columns prints the columns of list, each after the columns that have been typed.
function __tunadm_columns
    set -l typed (string match -r -- '^(?:--columns=)?(.*,)?' (commandline -ct))[2]
    printf "$typed%s\n" name mode state access mtu mac master addresses in-use-by index txqueuelen queues alias \
        routes netns rx-packets rx-bytes rx-dropped tx-packets tx-bytes tx-dropped
end

# __tunadm_as succeeds if the old tool in the line of as is its argument; none: it has not been typed yet.
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

# __tunadm_unnamed succeeds if the verb accepts one device, and none is on the line yet.
function __tunadm_unnamed
    __tunadm_is doctor trace dump echo tunnel; or return
    set -l words (commandline -opc)
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case --user --netns --for --count --write --listen --connect --peer --to --from --proto --port
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

# __tunadm_exec_own succeeds if the verb is exec, and its program is not on the line yet.
function __tunadm_exec_own
    __tunadm_is exec; or return
    not contains -- -- (commandline -opc)
end

# __tunadm_own succeeds if a flag of tunadm may follow, and not one of another program.
function __tunadm_own
    __tunadm_is none add set delete list show top apply status teardown export doctor trace metrics watch dump echo \
        hold loop tunnel
    or __tunadm_exec_own
end

# __tunadm_program completes the command line after the -- of exec.
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
for verb in 'add\tCreate persistent devices' 'a\tadd' 'set\tChange devices' \
    'delete\tDelete devices that no program uses' 'del\tdelete' \
        'rm\tdelete' 'list\tList devices, one per line' 'ls\tlist' 'show\tShow all details of devices' \
        'top\tShow packets, bytes and drops per second' \
        'apply\tCreate and change devices as files declare them' 'teardown\tDelete what apply created' \
        'status\tCompare the devices with the files that declare them' \
        'export\tPrint devices as a file' 'import\tPrint a file for apply from the files of other tools' \
        'doctor\tFind out why a device does not work' 'trace\tPrint the packets that the kernel drops' \
        'metrics\tPrint numbers of devices for Prometheus' \
        'watch\tPrint events of devices' \
        'exec\tRun a program with the queues of devices' \
        'dump\tPrint packets, or write pcapng' 'echo\tAnswer pings' \
        'hold\tKeep the carrier while programs are replaced' \
        'loop\tRoute traffic between two local addresses through a pair of tuns' \
        'tunnel\tCarry packets to another host, in clear text' 'as\tRun a command line of an old tool'
    complete -c tunadm -n '__tunadm_is none' -a "'"(printf $verb)"'"
    complete -c tunadm -n '__tunadm_is help; and test (count (commandline -opc)) = 2' -a "'"(printf $verb)"'"
end
complete -c tunadm -n '__tunadm_is none' -a help -d 'Show the flags of a verb'
complete -c tunadm \
    -n '__tunadm_is set delete list show top export metrics watch hold; or __tunadm_unnamed; or __tunadm_exec_own' \
    -a '(__tunadm_devices)' -d Device
complete -c tunadm -n '__tunadm_is apply status teardown import' -F
complete -c tunadm -n '__tunadm_is exec; and not __tunadm_exec_own' -x -a '(__tunadm_program)'
complete -c tunadm -n '__tunadm_own; or __tunadm_is import; or __tunadm_as_flags' -s h -l help -d 'Show help'
complete -c tunadm -n __tunadm_own -l netns -x -a '(__tunadm_namespaces)' -d 'Work inside a network namespace'

complete -c tunadm -n '__tunadm_is add delete' -l mode -x -a 'tun tap' -d 'Packets or Ethernet frames'
complete -c tunadm -n '__tunadm_is add' -l multi-queue -d 'Allow several queues at the same time'
complete -c tunadm -n '__tunadm_is add' -l vnet-hdr -d 'Start with virtio headers'
complete -c tunadm -n '__tunadm_is add' -l pi -d 'Start with packet information'
complete -c tunadm -n '__tunadm_is add' -l if-missing -d 'Succeed if the device exists with these properties'

complete -c tunadm -n '__tunadm_is add set' -l user -x -a '(__fish_complete_users)' -d 'The user that may attach'
complete -c tunadm -n '__tunadm_is add set' -l group -x -a '(__fish_complete_groups)' -d 'The group that may attach'
complete -c tunadm -n '__tunadm_is add set' -l anyone -d 'Every local user may attach'
complete -c tunadm -n '__tunadm_is add set' -l address -x -d 'Set the addresses'
complete -c tunadm -n '__tunadm_is add set' -l route -x -d 'Set the routes'
complete -c tunadm -n '__tunadm_is add set loop' -l mtu -x -d 'Maximum packet size, in bytes'
complete -c tunadm -n '__tunadm_is add set' -l mac -x -d 'MAC address of a tap'
complete -c tunadm -n '__tunadm_is add set' -l txqueuelen -x -d 'Transmit queue length, in packets'
complete -c tunadm -n '__tunadm_is add set' -l alias -x -d 'A text that describes the device'
complete -c tunadm -n '__tunadm_is add set' -l master -x -a '(__tunadm_masters)' -d 'Join a bridge or a VRF'
complete -c tunadm -n '__tunadm_is add set' -l no-master -d 'Leave the bridge or VRF'
complete -c tunadm -n '__tunadm_is add set' -l promisc -x -a 'on off' -d 'Receive all frames'
complete -c tunadm -n '__tunadm_is add set' -l multicast -x -a 'on off' -d 'Send and receive multicast'
complete -c tunadm -n '__tunadm_is add set' -l up -d 'Bring the device up'
complete -c tunadm -n '__tunadm_is add set' -l down -d 'Take the device down'

complete -c tunadm -n '__tunadm_is set' -l name -x -d 'Rename the device'
complete -c tunadm -n '__tunadm_is set' -l add-address -x -d 'Add an address'
complete -c tunadm -n '__tunadm_is set' -l remove-address -x -d 'Remove an address'
complete -c tunadm -n '__tunadm_is set' -l add-route -x -d 'Add a route'
complete -c tunadm -n '__tunadm_is set' -l remove-route -x -d 'Remove a route'
complete -c tunadm -n '__tunadm_is delete' -l if-exists -d 'Succeed if the device does not exist'
complete -c tunadm -n '__tunadm_is delete' -l force -d 'Delete a device even if a program uses it'
complete -c tunadm -n '__tunadm_is teardown' -l force \
    -d 'Delete also devices in use, and those that apply did not create'
complete -c tunadm -n '__tunadm_is teardown' -l if-valid -d 'Delete nothing if a file has a mistake'
complete -c tunadm -n '__tunadm_is apply' -l prune -d 'Delete devices that are no longer declared'
complete -c tunadm -n '__tunadm_is apply status teardown' -l set -x -d 'The name of the set of devices'
complete -c tunadm -n '__tunadm_is apply' -l atomic -d 'If one device fails, put all back'
complete -c tunadm -n '__tunadm_is apply' -l replace -d 'Re-create a device that cannot be changed'
complete -c tunadm -n '__tunadm_is apply' -l defer-master -d 'Ignore a master that does not exist yet'
complete -c tunadm -n '__tunadm_is apply' -l wait -x -a '45s 2m' -d 'Wait for masters, ports and users'
complete -c tunadm -n '__tunadm_is export' -l with-bridges -d 'Print also the bridges of the devices'
complete -c tunadm -n '__tunadm_is export' -l format -x -a 'toml ip networkd' -d 'Output format'
complete -c tunadm -n '__tunadm_is import' -l from -x -d 'Format of the files' \
    -a 'ifupdown netplan networkd networkmanager openwrt script unit'

complete -c tunadm -n '__tunadm_is doctor' -l user -x -a '(__fish_complete_users)' -d 'Answer for this user'
complete -c tunadm -n '__tunadm_is doctor' -l to -x -d 'Follow a packet to this address'
complete -c tunadm -n '__tunadm_is doctor' -l from -x -d 'Follow a packet from this address'
complete -c tunadm -n '__tunadm_is doctor' -l proto -x -a 'icmp tcp udp' -d 'The protocol of the packet'
complete -c tunadm -n '__tunadm_is doctor' -l port -x -d 'The port of the packet'
complete -c tunadm -n '__tunadm_is doctor' -l watch -d 'Judge by what happens within seconds'
complete -c tunadm -n '__tunadm_is doctor' -s v -l verbose -d 'Print passed checks and stages too'
complete -c tunadm -n '__tunadm_is doctor' -s q -l quiet -d 'Print problems only'

complete -c tunadm -n __tunadm_exec_own -l user -x -a '(__fish_complete_users)' -d 'Run the program as this user'
complete -c tunadm -n __tunadm_exec_own -l new-privileges -d 'Set-user-ID programs still work'
complete -c tunadm -n __tunadm_exec_own -l ambient -x -a 'net_admin net_raw net_bind_service' -d 'Keep this capability'
complete -c tunadm -n __tunadm_exec_own -l vnet-hdr -d 'Virtio headers before packets'
complete -c tunadm -n __tunadm_exec_own -l pi -d 'Packet information before packets'

complete -c tunadm -n '__tunadm_is trace' -l for -x -d 'Exit after this time'
complete -c tunadm -n '__tunadm_is trace' -l count -x -d 'Exit after this number of packets'
complete -c tunadm -n '__tunadm_is trace' -s v -l verbose -d 'Print the packets that pass too'
complete -c tunadm -n '__tunadm_is top' -l count -x -d 'Exit after this number of tables'
complete -c tunadm -n '__tunadm_is top' -l interval -x -d 'Seconds between two tables'
complete -c tunadm -n '__tunadm_is dump' -l count -x -d 'Exit after this number of packets'
complete -c tunadm -n '__tunadm_is dump' -l hex -d 'Print the bytes of each packet too'
complete -c tunadm -n '__tunadm_is dump' -s t -l no-time -d 'Print no time'
complete -c tunadm -n '__tunadm_is dump' -l force -d 'Overwrite an existing file'
complete -c tunadm -n '__tunadm_is dump' -l write -r -F -d 'Write pcapng'
complete -c tunadm -n '__tunadm_is metrics' -l write -r -F -d 'Write this file in one step'

complete -c tunadm -n '__tunadm_is echo' -s v -l verbose -d 'Print each packet'
complete -c tunadm -n '__tunadm_is tunnel' -l plain -d 'Confirm that packets travel in clear text'
complete -c tunadm -n '__tunadm_is tunnel' -l listen -x -d 'Wait for the other host on this address'
complete -c tunadm -n '__tunadm_is tunnel' -l connect -x -a '(__fish_print_hostnames)' -d 'Connect to the other host'
complete -c tunadm -n '__tunadm_is tunnel' -l udp -d 'Send a datagram for each packet'
complete -c tunadm -n '__tunadm_is tunnel' -l peer -x -d 'Accept packets only from this address'
complete -c tunadm -n '__tunadm_is tunnel' -s v -l verbose -d 'Print connections'
complete -c tunadm -n '__tunadm_is loop' -l a -x -d 'Address of one end'
complete -c tunadm -n '__tunadm_is loop' -l a-device -x -a '(__tunadm_devices)' -d 'Use an existing tun for this end'
complete -c tunadm -n '__tunadm_is loop' -l b -x -d 'Address of the other end'
complete -c tunadm -n '__tunadm_is loop' -l b-device -x -a '(__tunadm_devices)' -d 'Use an existing tun for this end'
complete -c tunadm -n '__tunadm_is loop' -l clean -d 'Only remove the remains of a killed loop'

complete -c tunadm -n __tunadm_as_flags -l explain -d 'Print the equivalent line of tunadm'
complete -c tunadm -n __tunadm_as_flags -a 'tunctl openvpn ip' -d 'Old tool'
complete -c tunadm -n '__tunadm_as tunctl' -a '-b -n -p -u -g -t -d -f'
complete -c tunadm -n '__tunadm_as openvpn' \
    -a '--mktun --rmtun --dev --dev-type --dev-node --user --group --lladdr --txqueuelen --tun-mtu'
complete -c tunadm -n '__tunadm_as ip' \
    -a 'tuntap add del show mode tun tap dev name user group one_queue pi vnet_hdr multi_queue'

complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -l dry-run \
    -d 'Print the steps and change nothing'
complete -c tunadm -n '__tunadm_is add set delete apply teardown' -l check \
    -d 'Like --dry-run, and exit 8 if there are steps'
complete -c tunadm -n '__tunadm_is none add set delete list show apply status teardown doctor trace watch' \
    -l json -d 'Print JSON'
complete -c tunadm -n '__tunadm_is none list' -l names -d 'Print the names only'
complete -c tunadm -n '__tunadm_is none list' -l columns -x -a '(__tunadm_columns)' -d 'Show these columns'
complete -c tunadm -n '__tunadm_is none list' -l sort -x -a '(__tunadm_columns)' -d 'Sort by this column'
complete -c tunadm -n '__tunadm_is none list show' -l color -x -a 'auto always never' -d 'Color the state'
complete -c tunadm -n '__tunadm_is none list' -l stats -d 'Show packets, bytes and drops'
complete -c tunadm -n '__tunadm_is none list' -l tree -d 'Show devices below their masters'
complete -c tunadm -n '__tunadm_is none list metrics' -l netns -x -a 'all' -d 'All network namespaces'
complete -c tunadm -n '__tunadm_is none list' -l wide -d 'Hide no column on a narrow terminal'
complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -s v -l verbose \
    -d 'Print each step as it is done'
complete -c tunadm -n '__tunadm_is add set delete apply teardown loop' -s q -l quiet -d 'Print errors only'
