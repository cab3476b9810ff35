package audit

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the right edge of a Merkle tree (RFC 6962, 2.1): the roots of its complete subtrees, largest first. With it
// leaves can be appended and the root be told without any older hash. The zero Tree is empty.
type Tree struct {
	size int64
	edge []tlog.Hash
}

// NewTree makes the tree of a size from its edge, as Edge gave it; ok is false when the edge is not one of that size.
func NewTree(size int64, edge []tlog.Hash) (t Tree, ok bool) {
	if size < 0 || size > maxSize || len(edge) != ones(size) {
		return Tree{}, false
	}
	return Tree{size: size, edge: slices.Clone(edge)}, true
}

// ones counts the complete subtrees of a tree: the set bits of its size.
func ones(n int64) int {
	count := 0
	for ; n > 0; n &= n - 1 {
		count++
	}
	return count
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Edge is a copy of the edge, for storing.
func (t *Tree) Edge() []tlog.Hash { return slices.Clone(t.edge) }

// Clone is a tree of its own.
func (t *Tree) Clone() Tree { return Tree{size: t.size, edge: slices.Clone(t.edge)} }

// Append appends a leaf.
func (t *Tree) Append(leaf []byte) {
	h := tlog.RecordHash(leaf)
	for n := t.size; n&1 == 1; n >>= 1 { // two subtrees of one size become one
		last := len(t.edge) - 1
		h = tlog.NodeHash(t.edge[last], h)
		t.edge = t.edge[:last]
	}
	t.edge = append(t.edge, h)
	t.size++
}

// Root is the root hash.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // cannot fail: nothing is read
		return h
	}
	h := t.edge[len(t.edge)-1]
	for _, left := range slices.Backward(t.edge[:len(t.edge)-1]) {
		h = tlog.NodeHash(left, h)
	}
	return h
}
