#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# <tls_handoff.h> compiles without a warning in every dialect that it promises. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

number=0
failed=0
# compiles NAME COMMAND...: the header alone, used from two files that are one program
compiles() {
	name=$1
	shift
	number=$((number + 1))
	if ! command -v "$1" > /dev/null; then
		echo "ok $number $name # SKIP there is no $1"
	elif "$@" -Wall -Wextra -Wshadow -Wconversion -Werror -pedantic-errors -I "$here" \
		-isystem "$here/../uapi" -o "$work/program" "$work/one.$suffix" \
		"$work/two.$suffix" > "$work/said" 2>&1 && "$work/program" >> "$work/said" 2>&1
	then
		echo "ok $number $name"
	else
		failed=1
		sed 's/^/# /' "$work/said"
		echo "not ok $number $name"
	fi
}

for suffix in c cc; do
	cat > "$work/one.$suffix" <<-END
		#include <tls_handoff.h>

		int two(void);

		/* On a descriptor that is no socket every function says so */
		int main(void)
		{
			char why[TLS_HANDOFF_WHY], name[8];
			struct tls_handoff_info info;

			if (tls_handoff_client(0, "a.example") != -ENOTSOCK ||
			    tls_handoff_server(0) != -ENOTSOCK ||
			    tls_handoff_enable(-1) != -EBADF ||
			    tls_handoff_set_string(0, TLS_HANDOFF_PROFILE, "web") != -ENOTSOCK ||
			    tls_handoff_set_number(0, TLS_HANDOFF_TIMEOUT, 1) != -ENOTSOCK ||
			    tls_handoff_set_alpn(0, "h2,http/1.1") != -ENOTSOCK ||
			    tls_handoff_set_alpn(0, "") != -ENOTSOCK ||
			    tls_handoff_set_alpn(0, ",h2") != -EINVAL ||
			    tls_handoff_set_alpn(0, "h2,") != -EINVAL ||
			    tls_handoff_set_alpn(0, "this-name-has-more-than-32-letters") != -EINVAL ||
			    tls_handoff_get_string(0, TLS_HANDOFF_ERROR, name, 8) != -ENOTSOCK ||
			    tls_handoff_get_string(0, TLS_HANDOFF_ERROR, name, 0) != -ERANGE ||
			    tls_handoff_get_info(0, &info) != -ENOTSOCK ||
			    tls_handoff_name_of("www.example.", name, sizeof(name)) != -EINVAL ||
			    tls_handoff_name_of("fe80::1%lo", name, sizeof(name)) ||
			    strcmp(name, "fe80::1") ||
			    tls_handoff_name_of("a.test.", name, sizeof(name)) ||
			    strcmp(name, "a.test"))
				return 1;
			tls_handoff_why(0, -ENOTSOCK, why);
			if (strcmp(why, strerror(ENOTSOCK)))
				return 2;
			if (tls_handoff_connect("127.0.0.1", "not a port", why) != -EHOSTUNREACH ||
			    !*why || tls_handoff_listen("192.0.2.1", "1", why) >= 0 || !*why)
				return 3;
			return two();
		}
	END
	cat > "$work/two.$suffix" <<-END
		#include <tls_handoff.h>

		int two(void);

		/* 0, or the module is not there */
		int two(void)
		{
			int r = tls_handoff_available();

			return r && r != -ENOENT;
		}
	END
done
exec < "$work/one.c"

echo "1..7"
suffix=c
compiles gcc_c99 gcc -std=c99 -D_POSIX_C_SOURCE=200112L
compiles gcc_gnu17 gcc -std=gnu17 -O2
compiles gcc_c23 gcc -std=c2x -D_GNU_SOURCE
compiles clang_c99 clang -std=c99 -D_POSIX_C_SOURCE=200112L
suffix=cc
compiles gxx_98 g++ -std=c++98
compiles gxx_20 g++ -std=c++20 -O2
compiles clangxx_11 clang++ -std=c++11
exit $failed
