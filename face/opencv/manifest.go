package opencv

import "madoguchi/face/models"

// ErrUnknownModel reports a weight file whose bytes are not those of the manifest (package models).
type ErrUnknownModel = models.UnknownError

// ErrMissingModel reports a weight file that cannot be read.
type ErrMissingModel = models.MissingError

// modelName is Engine.Model for the manifest.
func modelName() string { return models.Name() }
