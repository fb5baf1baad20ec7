# SPDX-License-Identifier: GPL-2.0-or-later
# The user's verbs. Everything is built and run in the Debian trixie root that
# tools/vm makes, so the only thing a machine needs is Debian, root and this.

CHROOT := tools/vm/chroot --
DESTDIR ?=
ROUNDS ?= 20

.PHONY: all module user demo check check-debug bench lint format soak install clean help

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
	@echo 'make install      on this machine (DESTDIR=... for packagers)'
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
install:
	$(MAKE) -C /lib/modules/$$(uname -r)/build M=$(CURDIR)/kmod modules
	$(MAKE) -C /lib/modules/$$(uname -r)/build M=$(CURDIR)/kmod \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	test -e build/native/build.ninja || meson setup build/native \
		--prefix=/usr --sysconfdir=/etc --localstatedir=/var
	meson install -C build/native $(if $(DESTDIR),--destdir $(DESTDIR))

clean:
	find build -mindepth 1 -maxdepth 1 ! -name vm -exec rm -rf {} + 2>/dev/null || :
	rm -rf build/vm/stage-* build/vm/results build/vm/run-*
