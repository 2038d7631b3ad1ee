# METADATA
# title: A request that can be judged whole
# description: |
#   More signalled literals or references than the service passes to its policies, or more containers with volumes or
#   more mounts than the rules about volumes compare: 10 containers, 100 mountPoints and 10 volumesFrom of each, 20
#   mounts taken from one, 4 volumes of one place. What was left out cannot be proven harmless. No exception covers this
#   rule.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     A service that judged a part and allowed the whole could be passed by sending more.
#   severity: critical
#   action: deny
#   fix: none
#   message: the request has more suspicious values, references, mounts or findings than can be judged at once
#   remediation: >-
#     Mend the findings that are listed and send the request again; split a task definition with this many secrets
#     or mounts.
package admission.rules.bounds.exceeded

import data.admission.lib.volumes

# METADATA
# scope: document
# description: The request, where something was left out.
findings contains {"at": ""} if input.counts.left_out > 0

findings contains {"at": ""} if volumes.exceeded
