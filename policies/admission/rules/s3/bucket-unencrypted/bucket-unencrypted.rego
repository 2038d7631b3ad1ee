# METADATA
# title: Secrets in S3 lie in an encrypted bucket
# description: |
#   AWS's way to keep secrets in S3 is an encrypted bucket: for objects that an application fetches, for environment
#   files and for FireLens configuration. A fact that says that a bucket has no default encryption is a finding for
#   each reference to it. Every bucket has had default encryption with SSE-S3 since January 2023, so a bucket of which
#   nothing is known is hardly ever one without: that is recorded in baseline and a warning in restricted, once for the
#   whole request.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
#     description: Setting default server-side encryption behavior for Amazon S3 buckets
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     What lies in a bucket without encryption is readable in every copy and backup of the storage below it.
#   severity: medium
#   action: deny
#   fix: none
#   controls: ["NIST-800-53:SC-28"]
#   message: container {container} refers to an object in a bucket that does not encrypt what is put into it
#   remediation: >-
#     Turn on default encryption of the bucket, best with a customer managed KMS key, and copy the object over itself:
#     what lay there before stays as it was.
#   variants:
#     unknown:
#       action: dryrun
#       message: it is not known whether the buckets that the request refers to are encrypted
#       remediation: >-
#         Give the service credentials that may call s3:GetEncryptionConfiguration on the buckets. Every bucket has
#         encrypted new objects by default since January 2023.
package admission.rules.s3["bucket-unencrypted"]

import data.admission.lib.facts

# METADATA
# scope: document
# description: The references to objects in buckets that are known not to be encrypted.
findings contains {"at": pointer} if some pointer in (_objects & facts.known("reference", "encrypted", false))

findings contains {"at": "", "variant": "unknown"} if count(_objects & facts.unknown("reference", "encrypted")) > 0

_objects contains reference.pointer if {
	some reference in input.references
	reference.service == "s3"
	reference.field in {"application", "environmentFiles", "firelensOption"}
}
