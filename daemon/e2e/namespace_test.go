package e2e_test

import "os"

// inNamespace says whether this process is the one that runs inside its own network namespace.
func inNamespace() bool { return os.Getenv("MADOGUCHI_E2E_NAMESPACE") != "" }
