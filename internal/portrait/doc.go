// Package portrait draws faces that belong to nobody: meshes of a head, painted skin and hair, one shadowed light. It
// makes the photos of the virtual cards and the frames of the virtual camera, so that the repository needs no
// picture of a real person. To a recognition network such faces are plumbing, never evidence of accuracy.
//
// It is pure and deterministic: the same Params and View give the same pixels. Any package of this module may
// import it; it imports nothing of ours.
package portrait
