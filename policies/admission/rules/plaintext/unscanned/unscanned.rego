# METADATA
# title: Everything was looked at
# description: |
#   Part of the request was cut off by a bound (length, depth or number), so nobody can say that it holds no secret.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
# custom:
#   why: >-
#     What nobody looked at is where a secret would be put by somebody who knows the bound.
#   severity: high
#   action: deny
#   fix: none
#   controls:
#     - PCI-DSS-4.0.1:8.6.2
#   message: "{place} is too long or too deeply nested to be scanned"
#   remediation: >-
#     Shorten it: put large content into a file in an encrypted S3 bucket and read it with the task role, or split it.
package admission.rules.plaintext.unscanned

import data.admission.lib.literals

# METADATA
# scope: document
# description: The literals of which a part was not scanned.
findings contains {"at": literal.pointer} if {
	some literal in input.literals
	literals.unscanned(literal)
}
