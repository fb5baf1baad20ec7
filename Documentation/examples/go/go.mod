// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause
module tlshandoff

go 1.21
