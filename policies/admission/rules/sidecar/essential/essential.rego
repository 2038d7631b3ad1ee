# METADATA
# title: A sidecar that exits is not essential
# description: |
#   A task stops when an essential container exits, and ECS lets nobody wait for the end of one: COMPLETE and SUCCESS
#   cannot be set on an essential container. A container is essential unless it says otherwise. The sidecar that writes
#   a secret and exits has to say so. One that has a health check stays, and is judged by sidecar/ordering.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
#     description: ContainerDependency
# custom:
#   why: >-
#     ECS refuses the task definition, or starts the task and stops it as soon as the secret has been written.
#   severity: high
#   action: deny
#   fix: set-not-essential
#   message: a sidecar that writes a secret and exits is essential, so its end is the end of the task
#   remediation: >-
#     Set essential to false for the sidecar, and let the container that reads the secret wait for it with SUCCESS.
package admission.rules.sidecar.essential

import data.admission.lib.containers
import data.admission.lib.sidecar

# METADATA
# scope: document
# description: The essential member of each sidecar that exits and is essential.
findings contains {"at": concat("/", [place, "essential"])} if {
	some place in (sidecar.injectors | _finishing)
	containers.essential(place)
}

_finishing contains pair.writer if {
	some pair in (sidecar.pairs | sidecar.likely_pairs)
	some wait in containers.waits[pair.reader][pair.writer]
	wait.condition in {"COMPLETE", "SUCCESS"}
	not containers.defined[pair.writer].healthCheck
}
