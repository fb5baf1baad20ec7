// SPDX-License-Identifier: GPL-2.0-or-later
module tlshandoff

go 1.21
