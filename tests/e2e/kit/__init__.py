# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the gateway, its clients, back ends, brokers and networks."""
