#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_sentinel.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_sentinel
short_description: Write to an etcd for a while, and look whether all that was acknowledged is there
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Writes numbered keys, one after the other, each through a connection of its own as a client does after a fail-over. It
    remembers which were acknowledged and when, and so for how long nothing could be written.
  - An endpoint that refuses or does not answer is passed over, and the same number is tried through the next one. The
    endpoint that answered last is tried first.
  - In the end it reads its keys back through the quorum, and fails if one that was acknowledged is not there or has another
    value.
  - It speaks to etcd's JSON gateway, and to nothing of Kubernetes. An etcd that asks for a user's name and password is not
    supported.
  - Start it with C(async) and C(poll=0) before something that writes should survive, and end it with O(stop_file).
notes:
  - A write that nobody answered may still be carried out after the end, when a member comes back that got it. Its key then
    stays.
extends_documentation_fragment:
  - kubeblocks.multicluster._attributes
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do, without writing anything.
    support: partial
    details: It only looks whether an endpoint answers a read through the quorum.
  diff_mode:
    description: Returns what changes, or would change, when in diff mode.
    support: none
  idempotent:
    description: A second run right after the first changes nothing.
    support: none
    details: Each run writes keys of its own.
options:
  endpoints:
    description: Addresses of the members, or of a proxy before them, each as C(host:port) or as a URL of HTTP or HTTPS.
    type: list
    elements: str
    required: true
  seconds:
    description: Seconds to write for, up to 3600.
    type: float
    default: 60.0
  pause:
    description: Seconds between two writes, up to 60. After one that was not acknowledged it is at least 0.05.
    type: float
    default: 0.05
  most:
    description:
      - After so many acknowledged writes it ends, up to 100000.
      - Others do not count, so that a time without writes cannot use them up.
    type: int
    default: 20000
  prefix:
    description: What its keys begin with. An ID of the run comes after it, so that two runs never meet.
    type: str
    default: kubeblocks.multicluster/sentinel/
  request_timeout:
    description: Seconds that one request may take, up to 60.
    type: float
    default: 2.0
  check_timeout:
    description: Seconds to wait for an endpoint that answers a read, before the first write and again after the last, up to 600.
    type: float
    default: 30.0
  stop_file:
    description: When this file appears, writing ends early and the checking begins. It must not be there before.
    type: path
  progress_file:
    description: Holds the number of acknowledged writes, renewed with each. Others can wait for it.
    type: path
  ca_cert:
    description: File of the certificate authorities to trust. Without it, those of the system.
    type: path
  client_cert:
    description: File of the certificate to present.
    type: path
  client_key:
    description: File of its key, without a password. Without it, the key stands in O(client_cert).
    type: path
  clean:
    description: Whether to delete its keys after the check. Where something is lost or altered they stay, as evidence.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Write while a data plane is taken away
  kubeblocks.multicluster.etcd_sentinel:
    endpoints: [192.0.2.11:2379, 192.0.2.12:2379, 192.0.2.13:2379]
    seconds: 1800
    stop_file: /tmp/drill/stop
    progress_file: /tmp/drill/written
  async: 2000
  poll: 0
  register: writing

- name: Wait until it writes
  ansible.builtin.wait_for:
    path: /tmp/drill/written
    search_regex: "[0-9]{2,}"

# the drill itself

- name: End the writing
  ansible.builtin.file:
    path: /tmp/drill/stop
    state: touch
    mode: "0600"

- name: Look what became of what was written
  ansible.builtin.async_status:
    jid: "{{ writing.ansible_job_id }}"
  register: written
  until: written is finished
  retries: 60
  delay: 1
"""

RETURN = r"""
sentence:
  description: For a person.
  returned: when a check was made, or could not be made
  type: str
  sample: 253 writes acknowledged, none lost, longest gap 2.1 s
figures:
  description:
    - "Numbers by what became of them: C(acknowledged); C(refused), certainly not written; C(unknown), as nobody answered
      the write, which may be there or not; C(retried), which took more than one attempt. C(attempts) counts requests."
    - "What was read back: C(lost), acknowledged but not there; C(altered), there with another value; C(doubled), written more
      than once, as happens to a retry; C(appeared), refused but there. Nothing if it could not be read back."
    - "Seconds without an acknowledged write: C(longest_gap), from the first attempt on; C(longest_gap_began), seconds after
      the first attempt; C(longest_gap_to_the_end), whether it lasted until writing was over. C(gap_p50), C(gap_p95) and
      C(gap_max) are of the time from one acknowledged write to the next."
  returned: when a check was made, or could not be made
  type: dict
lost:
  description: The first twenty numbers that were acknowledged and are not there.
  returned: when a check was made, or could not be made
  type: list
  elements: int
altered:
  description: The first twenty numbers that are there with another value.
  returned: when a check was made, or could not be made
  type: list
  elements: int
doubled:
  description: The first twenty numbers that were written more than once.
  returned: when a check was made, or could not be made
  type: list
  elements: int
appeared:
  description: The first twenty numbers that were refused and yet are there.
  returned: when a check was made, or could not be made
  type: list
  elements: int
endpoints:
  description: "Endpoint to C(acknowledged), C(refused) and C(unknown) attempts, and C(why) the last one failed that did."
  returned: when a check was made, or could not be made
  type: dict
cluster_ids:
  description: IDs of the etcds that answered. More than one means that the endpoints belong to different etcds.
  returned: when a check was made, or could not be made
  type: list
  elements: str
prefix:
  description: What the keys of this run begin with. Empty in check mode.
  returned: when a check was made, or could not be made
  type: str
began:
  description: When writing began.
  returned: when it wrote
  type: str
ended_by:
  description: Which option ended the writing (V(seconds), V(most) or V(stop_file)).
  returned: when it wrote
  type: str
cleaned:
  description: Whether its keys were deleted.
  returned: when a check was made, or could not be made
  type: bool
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._sentinel import SPEC, run


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
