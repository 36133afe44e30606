# Developers may call everything but with the text "forbidden".
package firebreak.main

developers := {"user:developer", "spiffe://firebreak.local/user/developer"}

default allowed := false

allowed if {
	input.principal.id in developers
	not forbidden
}

forbidden if input.args.text == "forbidden"

decision := {
	"allow": allowed,
	"reasons": [{"rule": "developers", "message": "Developers may, but not forbidden texts.", "field": "args.text"}],
	"obligations": {},
}
