# METADATA
# title: Who reads a secret from a volume waits until it is there
# description: |
#   The container that reads what a sidecar writes has to wait for it: with SUCCESS (or COMPLETE) for a sidecar that
#   writes and exits, with HEALTHY for one that stays and has a health check. It may wait through another container.
#   START only says that the sidecar runs, not that the file exists. Where names alone say that a container writes
#   secrets, and its reader may as well look for them again, this is a warning in baseline.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
#     description: ContainerDependency
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     Containers of a task start side by side: the application looks for a file that is not there yet, now and then,
#     and fails or runs without its secret.
#   severity: high
#   action: deny
#   fix: wait-for-sidecar
#   message: a container that reads a secret from a volume does not wait for the sidecar that writes it
#   remediation: >-
#     Add the sidecar to dependsOn, with condition SUCCESS and essential false where the sidecar exits when it has
#     written the secret, or with condition HEALTHY where it stays and has a healthCheck that looks for the file.
#   variants:
#     missing:
#       message: a container that mounts a sidecar's volume with a secret has no dependsOn for the sidecar
#     start:
#       message: a container waits for the start of a sidecar, which is before the secret is on their volume
#       remediation: >-
#         Change the condition to SUCCESS and set essential to false where the sidecar exits when it has written the
#         secret, or to HEALTHY where it stays and has a healthCheck that looks for the file.
#     exits:
#       message: a container waits for the health of a sidecar that writes its secret and exits
#       remediation: Change the condition to SUCCESS, and set essential to false for the sidecar.
#     no-health-check:
#       message: a container waits for the health of a sidecar that has no healthCheck
#       remediation: >-
#         Change the condition to SUCCESS and set essential to false where the sidecar exits when it has written the
#         secret; or give the sidecar a healthCheck that looks for the file. ECS does not look at one in the image.
#     stays:
#       message: a container waits for the end of an essential sidecar with a healthCheck, which never comes
#       remediation: >-
#         Change the condition to HEALTHY. Where the sidecar does exit, remove its healthCheck and set essential to
#         false.
#     reversed:
#       fix: none
#       message: a sidecar that writes a secret waits for the container that reads it
#       remediation: >-
#         Remove the reader from the sidecar's dependsOn, directly and through others, and add the sidecar to the
#         reader's, with condition SUCCESS and essential false where the sidecar exits when it has written the secret,
#         or with condition HEALTHY where it stays and has a healthCheck that looks for the file.
#     likely:
#       action: warn
#       fix: none
#       message: a container does not wait for one that seems to write a secret to the volume that both mount
#       remediation: >-
#         Where the container reads what the other writes, add the other to dependsOn, with condition SUCCESS and
#         essential false where it exits, or with condition HEALTHY where it stays and has a healthCheck that looks
#         for the file. Mount the volume with readOnly true.
package admission.rules.sidecar.ordering

import data.admission.lib.containers
import data.admission.lib.sidecar

# METADATA
# scope: document
# description: |
#   The dependsOn of each container that does not name the sidecar whose volume it mounts, and the condition of each
#   entry that names it and waits for something else. Of a sidecar that is only likely the dependsOn alone.
findings contains {"at": concat("/", [pair.reader, "dependsOn"]), "variant": "missing"} if {
	some pair in _early
	not containers.waits[pair.reader][pair.writer]
	not _is_reversed(pair)
}

findings contains {"at": concat("/", [pair.reader, "dependsOn"]), "variant": "reversed"} if {
	some pair in _early
	_is_reversed(pair)
}

findings contains {"at": concat("/", [pair.reader, "dependsOn"]), "variant": "likely"} if {
	some pair in sidecar.unawaited_pairs
	not _waits(pair)
	not _is_reversed(pair)
}

findings contains {"at": concat("/", [wait.at, "condition"]), "variant": variant} if {
	some pair in _early
	some wait in containers.waits[pair.reader][pair.writer]
	some variant in _problems(pair.writer, wait.condition)
}

_early contains pair if {
	some pair in sidecar.pairs
	not _waits(pair)
}

# The reader has started when the writer does. That it waits for the writer, too, ECS refuses.
_is_reversed(pair) if pair.reader in _before[pair.writer]

_before[writer] := containers.before(writer) if some writer in _writers

_writers contains pair.writer if some pair in (sidecar.pairs | sidecar.unawaited_pairs)

# Directly, or by waiting for a container that does.
_waits(pair) if {
	some place in containers.before(pair.reader)
	some wait in containers.waits[place][pair.writer]
	count(_problems(pair.writer, wait.condition)) == 0
}

_problems(_, condition) := {"start"} if not condition in {"COMPLETE", "SUCCESS", "HEALTHY"}

_problems(writer, "HEALTHY") := {"exits"} if writer in sidecar.injectors

_problems(writer, "HEALTHY") := {"no-health-check"} if {
	not writer in sidecar.injectors
	not containers.defined[writer].healthCheck
}

_problems(writer, "HEALTHY") := set() if {
	not writer in sidecar.injectors
	containers.defined[writer].healthCheck
}

_problems(writer, condition) := {"stays" | _stays(writer)} if condition in {"COMPLETE", "SUCCESS"}

_stays(writer) if {
	not writer in sidecar.injectors
	containers.defined[writer].healthCheck
	containers.essential(writer)
}
