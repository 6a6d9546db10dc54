# make            build ./tunadm
# make check      vet, and run all tests (without root: those that can run in a user namespace)
# make cni        build ./tunadm-cni, the CNI plugin: tunadm-cni(8)
# make cni-test   hold the plugin to the official tap plugin and its tests, cnitool and IPAM plugins; kill it at some
#                 system calls (as root; downloads their modules the first time)
# make lint       format, vet, staticcheck, shellcheck, pycodestyle, pyflakes, mandoc, govulncheck
# make bench      compare with other tools, and write bench/README.md (as root, on a quiet machine)
# make curve      measure how the cost grows with the number of devices and routes, and write it there: 15 minutes
# make faults     inject a failure and a kill at each system call, and races: an hour, as root (faults/README.md)
# make situations build hosts on which a device does not work, and hold doctor to them (testing/situations/README.md)
# make boot       boot a Debian root in a container, and test the units there (as root)
# make boots      the same with bookworm, trixie and Ubuntu 24.04, and with sysvinit and OpenRC: ROOTS are the names
# make imports    hold import to ifupdown, systemd-networkd and NetworkManager in a Debian root (as root)
# make kernels    boot the kernels of Debian's suites in QEMU, and run the tests there: half an hour per kernel
#                 without KVM, and 700 MB of packages the first time (TUNADM_TEST_SMOKE=1: only a smoke run, a minute
#                 per kernel)
# make archs      build for every Linux architecture of Go; run the tests of the 386 build that need no namespace
# make fresh      run the README's two commands on new Debian roots (as root)
# make dist       VERSION=x.y.z: build the files of a release in dist/: source archive, programs, packages and sums.
#                 KEY=FILE signs the sums with this key of ssh-keygen(1). MAINTAINER='NAME <ADDRESS>' is the maintainer
#                 of the packages. ARCHS and DIST are the architectures and the directory
# make collection build the Ansible collection tunadm.tunadm in dist/
# make ansible-test  test the collection (as root)
# make ansible-boot  run the role and the modules on Debian roots that run systemd (as root)
# make ansible-fleet run its plays against 100 network namespaces, and measure them (as root): up to half an hour
# make packages   test the packages of two versions in Debian roots, for this machine's architecture (as root)
# make releases   the same with the files of all architectures
# make install    PREFIX, DESTDIR and the directories below can be set. WITH_completions, WITH_docs, WITH_systemd,
#                 WITH_openrc, WITH_sysv, WITH_ifupdown and WITH_cni are yes or no; the default of all but the first two
#                 is what the machine has. COMPRESS=yes: compress pages and the list of changes with gzip(1).
#                 TUNCTL=1: also install a link tunctl to tunadm, unless another file has that name.
#                 FORMAT=deb, rpm, apk or archlinux: install the content of this package

PREFIX  = /usr/local
DESTDIR =
TUNCTL  =
BINDIR  = $(PREFIX)/bin
MANDIR  = $(PREFIX)/share/man
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  = $(PREFIX)/share/zsh/site-functions
# fish looks below its own prefix and /etc; other prefixes only if XDG_DATA_DIRS names them.
FISHCOMPDIR = $(if $(filter /usr,$(PREFIX)),/usr/share/fish/vendor_completions.d,/etc/fish/completions)
SCHEMADIR   = $(PREFIX)/share/tunadm
DOCDIR      = $(PREFIX)/share/doc/tunadm
LICENSEDIR  = $(DOCDIR)
LICENSES    = packaging/debian/copyright packaging/Apache-2.0
UNITDIR     = $(PREFIX)/lib/systemd/system
CONFDIR     = /etc/tunadm.d
INITDIR     = /etc/init.d
IFUPDOWNDIR = /etc/network
CNIBINDIR   = /opt/cni/bin

WITH_completions = yes
WITH_docs     = yes
WITH_systemd  = $(if $(wildcard /lib/systemd/system),yes,no)
WITH_openrc   = $(if $(shell command -v openrc-run),yes,no)
WITH_sysv     = $(if $(filter no,$(WITH_openrc)),$(if $(wildcard $(INITDIR)),yes,no),no)
WITH_ifupdown = $(if $(wildcard $(IFUPDOWNDIR)/if-pre-up.d),yes,no)
WITH_cni      = $(if $(wildcard $(CNIBINDIR)),yes,no)

COMPRESS = no
FORMAT   =
include $(FORMAT:%=packaging/formats/%.mk)

GO      = go
PROGRAM = tunadm
TAGS    = urfave_cli_no_docs
# A source archive has the file VERSION. Without it and git, the program prints the version of its Go module.
VERSION = $(shell cat VERSION 2>/dev/null || git describe --tags --always --dirty 2>/dev/null)

# No -buildmode=pie: `tunadm --version` takes 1.4 times as long (median of 400 pairs), and without cgo it requires a
# dynamic loader.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags $(TAGS) -ldflags '-s -w -X main.version=$(VERSION)'
build:
	$(BUILD) -o $(PROGRAM) .

cni:
	$(BUILD) -o tunadm-cni ./cni

# One package at a time: attackers in the tests of netcfg block each search for attached programs on the machine.
# The tests mostly wait for programs and the kernel: more of them at a time than processors.
TEST = $(GO) test -p 1 -parallel 8 -timeout 30m -tags $(TAGS)

check:
	@testing/prepare --check
	$(GO) vet -tags $(TAGS) ./...
	@skips=$$(mktemp) && export TUNADM_TEST_SKIPS="$$skips" && \
	  { $(TEST) ./...; code=$$?; sort "$$skips" | uniq -c; rm -f "$$skips"; exit $$code; }

# The tests of the plugin have a module of their own. Their result depends on ./cni, which go test does not see.
cni-test: build cni
	@testing/prepare --check cni-test
	$(GO) test -C cni/testing -count=1 ./...
	faults/faultcheck.py kill cni-add --cases 80

faults: build cni
	faults/faultcheck.py all --binary ./tunadm

situations: build
	testing/situations/situations.py ./tunadm

# Longer deadlines: with the race detector a search for attached programs takes seconds. One package is tested while
# others are built: the lock is for the former, and the later -p for the latter. make check has run vet.
race:
	GORACE=atexit_sleep_ms=0 CGO_ENABLED=1 TUNADM_TEST_PATIENCE=5 \
	  $(TEST) -p 3 -exec "flock --close '$(CURDIR)/Makefile'" -vet=off -race ./...

# Without optimization, a build takes half of the time. The plugin is built for two: 32 bits, and big-endian.
archs:
	for arch in $$($(GO) tool dist list | sed -n 's|^linux/||p'); do \
	  echo "linux/$$arch"; \
	  CGO_ENABLED=0 GOARCH=$$arch $(GO) build -gcflags='all=-N -l' -trimpath -buildvcs=false -tags $(TAGS) \
	    -o /dev/null . $$(case $$arch in 386 | mips) echo ./cni; esac) || exit; done
	CGO_ENABLED=0 GOARCH=386 $(GO) test -tags $(TAGS) ./internal/...

fresh:
	testing/fresh

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l . && false; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) vet -C cni/testing .
	$(GO) tool -modfile=tools/go.mod staticcheck -tags $(TAGS) ./...
	shellcheck packaging/dist packaging/debian-changelog packaging/test packaging/testing/*.bash packaging/scripts/* \
	  packaging/debian/tests/smoke ansible/tests/boot/test ansible/tests/boot/*.bash \
	  ansible/tests/run ansible/tests/inside ansible/tests/fleet/measure \
	  testing/prepare testing/fresh testing/imports testing/situations/prelude.bash cni/testing/selinux \
	  bench/*.bash bench/compare bench/curve bench/run bench/packets .ci/run completions/tunadm.bash \
	  init/test init/testing/*.bash init/ifupdown init/tunadm.lsb init/tunadm.openrc kernels/test kernels/testing/*
	zsh -n completions/_tunadm
	fish -n completions/tunadm.fish
	pycodestyle --max-line-length=120 faults testing/situations
	pyflakes3 faults testing/situations
	mandoc -Tlint -Wwarning $(addprefix man/,$(PAGES))
	@$(GO) tool -modfile=tools/go.mod govulncheck -tags $(TAGS) ./... || { \
	  code=$$?; test $$code -ne 3 && echo 'lint: govulncheck: its database does not answer; skipped' || exit $$code; }

DIST  = dist
KEY   =
ARCHS = $(shell $(GO) tool dist list | sed -n 's|^linux/||p')

dist:
	packaging/dist '$(VERSION)' '$(DIST)' '$(KEY)' $(ARCHS)

packages:
	packaging/test

releases:
	TUNADM_TEST_ARCHS='$(ARCHS)' packaging/test

# $(call section,TITLE) prints this section of bench/README.md.
section = awk '/^\#\# / { on = index($$0, "\#\# $(1)") == 1 } on' bench/README.md

bench: build
	BENCH_JSON='$(CURDIR)/bench/README.json' bench/run ./tunadm > bench/README.md.new
	BENCH_JSON='$(CURDIR)/bench/packets.json' bench/packets ./tunadm >> bench/README.md.new
	{ echo; $(call section,How the cost grows); $(call section,A hundred hosts); } >> bench/README.md.new
	mv bench/README.md.new bench/README.md
	cat bench/README.md

curve: build
	awk '/^## (How the cost grows|A hundred hosts)/ { exit } { print }' bench/README.md | sed '$${/^$$/d}' \
	  > bench/README.md.new
	SVG='$(CURDIR)/bench/curve.svg' BENCH_JSON='$(CURDIR)/bench/curve.json' bench/curve ./tunadm \
	  >> bench/README.md.new
	{ echo; $(call section,A hundred hosts); } >> bench/README.md.new
	mv bench/README.md.new bench/README.md

boot: build
	init/test ./tunadm

ROOTS = bookworm:systemd trixie:systemd noble:systemd bookworm:sysvinit trixie:sysvinit bookworm:openrc trixie:openrc
boots: build
	init/test ./tunadm $(ROOTS)

imports: build
	testing/imports ./tunadm

collection:
	ansible-galaxy collection build --force --output-path '$(DIST)' ansible

ansible-test: build
	@testing/prepare --check ansible
	ansible/tests/run ./tunadm

ansible-boot: build
	@testing/prepare --check ansible packages
	ansible/tests/boot/test ./tunadm

# Its section is the last one of the report, and "make bench" keeps it.
ansible-fleet: build
	@testing/prepare --check ansible
	sed '/^## A hundred hosts/,$$d' bench/README.md > bench/README.md.new
	ansible/tests/fleet/measure ./tunadm >> bench/README.md.new
	mv bench/README.md.new bench/README.md

kernels: build
	kernels/test ./tunadm

# Units and scripts contain the path of the program.
PLACE = sed 's|@BINDIR@|$(BINDIR)|g'
UNITS = tunadm.service tunadm-late.service tunadm@.service tunadm-hold@.service tunadm-metrics.service \
  tunadm-metrics.timer
SHARED = tunadm.schema.json tunadm-alerts.yml tunadm-dashboard.json
HOOKS = $(IFUPDOWNDIR)/if-pre-up.d/tunadm $(IFUPDOWNDIR)/if-post-down.d/tunadm
PAGES = tunadm.8 tunadm-as.8 tunadm-cni.8 tunadm-doctor.8 tunadm-metrics.8 tunadm-packets.8 tunadm-json.5 tunadm.toml.5

# Another program named tunctl is never replaced or removed.
LINK   = $(DESTDIR)$(BINDIR)/tunctl
LINKED = readlink $(LINK) | grep -qxF -e tunadm -e $(BINDIR)/tunadm
PAGE   = $(DESTDIR)$(MANDIR)/man8/tunctl.8

PARTS = completions docs systemd openrc sysv ifupdown cni
# gzip compresses files if COMPRESS is yes. Without -n they would contain the time.
GZIPPED = $(if $(filter yes,$(COMPRESS)),.gz)
gzip = $(if $(GZIPPED),gzip -9nf $(1))

install: install-program \
  $(foreach part,$(PARTS),$(if $(filter yes,$(WITH_$(part))),install-$(part),without-$(part))) install-tunctl

install-program:
	test -x tunadm || $(MAKE) build
	install -D -m 0755 tunadm $(DESTDIR)$(BINDIR)/tunadm
	for page in $(PAGES); do install -D -m 0644 man/$$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page || exit; done
	$(call gzip,$(foreach page,$(PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page)))
	for file in $(SHARED); do install -D -m 0644 share/$$file $(DESTDIR)$(SCHEMADIR)/$$file || exit; done
	install -d -m 0755 $(DESTDIR)$(CONFDIR)
	@old=$(DESTDIR)$(PREFIX)/sbin/tunadm; test $(BINDIR) = $(PREFIX)/sbin || ! test -e $$old || \
	  echo "install: $$old is an earlier installation: remove it" >&2

install-completions:
	install -D -m 0644 completions/tunadm.bash $(DESTDIR)$(BASHCOMPDIR)/tunadm
	install -D -m 0644 completions/_tunadm $(DESTDIR)$(ZSHCOMPDIR)/_tunadm
	install -D -m 0644 completions/tunadm.fish $(DESTDIR)$(FISHCOMPDIR)/tunadm.fish

install-docs:
	install -D -m 0644 CHANGELOG.md $(DESTDIR)$(DOCDIR)/changelog
	$(call gzip,$(DESTDIR)$(DOCDIR)/changelog)
	install -d -m 0755 $(DESTDIR)$(LICENSEDIR)
	install -m 0644 -t $(DESTDIR)$(LICENSEDIR) $(LICENSES)

install-systemd:
	for unit in $(UNITS); do \
	  $(PLACE) init/$$unit | install -D -m 0644 /dev/stdin $(DESTDIR)$(UNITDIR)/$$unit || exit; done

install-openrc:
	$(PLACE) init/tunadm.openrc | install -D -m 0755 /dev/stdin $(DESTDIR)$(INITDIR)/tunadm

install-sysv:
	$(PLACE) init/tunadm.lsb | install -D -m 0755 /dev/stdin $(DESTDIR)$(INITDIR)/tunadm

install-ifupdown:
	for hook in $(HOOKS); do $(PLACE) init/ifupdown | install -D -m 0755 /dev/stdin $(DESTDIR)$$hook || exit; done

install-cni:
	test -x tunadm-cni || $(MAKE) cni
	install -D -m 0755 tunadm-cni $(DESTDIR)$(CNIBINDIR)/tunadm-cni

without-%:
	@echo 'install: nothing for $*: WITH_$*=yes installs it'

install-tunctl:
	@test '$(TUNCTL)' != 1 || $(LINKED) || if test -e $(LINK) || test -L $(LINK); then \
	  echo 'install: $(LINK) already exists and is kept; everything else is installed' >&2; false; \
	else install -d $(DESTDIR)$(BINDIR) $(dir $(PAGE)); \
	  echo 'ln -s tunadm $(LINK)'; ln -s tunadm $(LINK); \
	  test -e $(PAGE)$(GZIPPED) || ln -s tunadm-as.8$(GZIPPED) $(PAGE)$(GZIPPED); fi

uninstall:
	! $(LINKED) || rm -f $(LINK)
	! readlink $(PAGE)$(GZIPPED) | grep -qxF tunadm-as.8$(GZIPPED) || rm -f $(PAGE)$(GZIPPED)
	rm -f $(DESTDIR)$(BINDIR)/tunadm $(DESTDIR)$(CNIBINDIR)/tunadm-cni \
	  $(foreach page,$(PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page)$(GZIPPED)) \
	  $(DESTDIR)$(DOCDIR)/changelog$(GZIPPED) $(addprefix $(DESTDIR)$(LICENSEDIR)/,$(notdir $(LICENSES))) \
	  $(DESTDIR)$(BASHCOMPDIR)/tunadm $(DESTDIR)$(ZSHCOMPDIR)/_tunadm $(DESTDIR)$(FISHCOMPDIR)/tunadm.fish \
	  $(addprefix $(DESTDIR)$(SCHEMADIR)/,$(SHARED)) $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS)) \
	  $(DESTDIR)$(INITDIR)/tunadm $(addprefix $(DESTDIR),$(HOOKS))
	for dir in $(CONFDIR) $(SCHEMADIR) $(DOCDIR) $(LICENSEDIR); do \
	  test ! -d $(DESTDIR)$$dir || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir || exit; done

clean:
	rm -f tunadm tunadm-cni bench/README.md.new

.PHONY: build cni cni-test check race archs fresh lint dist packages releases bench curve boot boots imports \
  collection ansible-test ansible-fleet \
  faults situations kernels install install-program install-completions install-docs \
  install-systemd install-openrc install-sysv install-ifupdown install-cni install-tunctl uninstall clean
