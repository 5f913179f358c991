// Copyright: the Roost developers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

// The smallest thing that the bundle can build.
package main

import "os"

func main() {
	os.Stdout.WriteString("tool v1\n")
}
