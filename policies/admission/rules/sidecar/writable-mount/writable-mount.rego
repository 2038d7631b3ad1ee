# METADATA
# title: An application only reads its secrets
# description: |
#   The container that reads what a sidecar writes needs no right to write: its mount says readOnly true. A mount is
#   writable unless it says otherwise, and so is what volumesFrom takes. Where only names or the shape of the
#   containers say that the volume is for secrets, this is only recorded in baseline and a warning in restricted.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MountPoint.html
#     description: MountPoint
# custom:
#   why: >-
#     Whoever gets into the application could replace the secret, such as a key that others are trusted by, for all
#     containers of the task.
#   severity: low
#   action: warn
#   fix: set-read-only
#   controls: ["NIST-800-53:AC-6"]
#   message: a container that reads a sidecar's secret may also write to the volume
#   remediation: Set readOnly to true for the mount of the container that reads the secret.
#   variants:
#     likely:
#       action: dryrun
#       message: a container may write to a volume to which another seems to write a secret
#       remediation: Set readOnly to true for the mount of the container that reads it, where what is there is secret.
package admission.rules.sidecar["writable-mount"]

import data.admission.lib.sidecar
import data.admission.lib.volumes

# METADATA
# scope: document
# description: The mounts by which the readers of a secret could write.
findings contains {"at": mount.at} if {
	some mount in _writable
	[mount.container, mount.volume] in _reading
}

findings contains {"at": mount.at, "variant": "likely"} if {
	some mount in _writable
	[mount.container, mount.volume] in _likely_reading
}

_writable contains mount if {
	some mount in volumes.mounts
	not mount.readOnly
}

_reading contains [pair.reader, pair.volume] if some pair in sidecar.pairs

_likely_reading contains [pair.reader, pair.volume] if some pair in sidecar.likely_pairs
