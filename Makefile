# SPDX-License-Identifier: GPL-2.0-or-later
# The user's verbs. Everything is built and run in the Debian trixie root that
# tools/vm makes, so the only thing a machine needs is Debian, root and this.

CHROOT := tools/vm/chroot --
DESTDIR ?=
KERNEL ?= $(shell uname -r)
ROUNDS ?= 20
VERSION := $(shell sed -n "s/^[[:space:]]*version: '\(.*\)',/\1/p" meson.build)
KBUILD = $(MAKE) -C /lib/modules/$(KERNEL)/build M=$(CURDIR)/kmod MO=$(CURDIR)/build/native-kmod
DKMS_SOURCE := /usr/src/tls-handoff-$(VERSION)

.PHONY: all module user demo check check-debug bench lint format soak clean help
.PHONY: install install-module install-user install-dkms uninstall packages

all: module user

help:
	@echo 'make all          build the kernel module and the daemons'
	@echo 'make demo         the main job, start to finish, in a VM'
	@echo 'make check        unit tests, selftests in the VM, interop'
	@echo 'make check-debug  the selftests under KASAN, lockdep and kmemleak'
	@echo 'make bench        numbers, also in build/bench/results.json'
	@echo 'make soak         the long tests, then the selftests ROUNDS=20 times'
	@echo 'make lint         every checker; one that did not run fails'
	@echo 'make format       clang-format over the userspace sources'
	@echo 'make packages     Debian packages, in build/packages'
	@echo 'make install      on this machine (DESTDIR=... for packagers); uninstall'
	@echo 'make install-dkms the module alone, as source for DKMS'
	@echo 'make clean        remove what was built, keep the cached root'

module:
	$(CHROOT) tools/vm/build module

user:
	$(CHROOT) tools/vm/build user

demo: all
	tools/vm/run -- /usr/lib/tls-handoff/demo/demo

check:
	tools/vm/check

check-debug:
	tools/vm/check --debug

bench: all
	tools/bench/run

soak:
	tools/vm/check --rounds $(ROUNDS)

lint:
	tools/lint/run

format:
	tools/lint/run --fix

# Not in the root: for the kernel and the libraries of this very machine.
install: install-module install-user
	@tools/package/next-steps "$(DESTDIR)" "$(KERNEL)"

install-module:
	mkdir -p build/native-kmod
	$(KBUILD) modules
	$(KBUILD) $(if $(DESTDIR),INSTALL_MOD_PATH=$(abspath $(DESTDIR))) modules_install

install-user:
	test -e build/native/build.ninja || meson setup build/native \
		--prefix=/usr --sysconfdir=/etc --localstatedir=/var
	meson install -C build/native $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

# The module's source where DKMS builds it from, for each kernel anew.
install-dkms:
	install -d $(DESTDIR)$(DKMS_SOURCE)/kmod $(DESTDIR)$(DKMS_SOURCE)/uapi/linux
	install -m 644 kmod/Kbuild kmod/*.[ch] $(DESTDIR)$(DKMS_SOURCE)/kmod
	install -m 644 uapi/linux/*.h $(DESTDIR)$(DKMS_SOURCE)/uapi/linux
	sed 's/#MODULE_VERSION#/$(VERSION)/' kmod/dkms.conf > $(DESTDIR)$(DKMS_SOURCE)/dkms.conf

# The configuration and what is in /etc/tlshd stay.
uninstall:
	-ninja -C build/native uninstall
	rm -f /lib/modules/$(KERNEL)/updates/tls_handoff.ko*
	depmod $(KERNEL)

packages:
	tools/package/build

clean:
	find build -mindepth 1 -maxdepth 1 ! -name vm -exec rm -rf {} + 2>/dev/null || :
	rm -rf build/vm/stage-* build/vm/results build/vm/run-*
