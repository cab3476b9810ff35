package main

import "madoguchi/internal/portrait"

// identity is one rendered face. Seeds are found by -search.
type identity struct {
	id   string
	kind portrait.Kind
	seed uint64
	card bool // has a card; ito-impostor only stands before the camera
}

// people are the identities that ship, in the order of the search.
func people() []identity {
	return []identity{
		{"sato", portrait.Woman, 27, true},
		{"suzuki", portrait.Man, 2, true},
		{"tanaka", portrait.Man, 1, true},
		{"kobayashi", portrait.Girl, 42, true},
		{"watanabe", portrait.OldMan, 7, true},
		{"ito", portrait.Woman, 13, true},
		{"ito-impostor", portrait.Woman, 1, false},
		{"nguyen", portrait.Woman, 31, true},
	}
}

// views are the live frames of every person: small turns and changes of light, as a person who looks at a screen.
func views(seed uint64) []portrait.View {
	room := seed%97 + 1
	return []portrait.View{
		{Yaw: 0, Light: -0.3, Room: room, Noise: seed + 1},
		{Yaw: 4, Pitch: 1, Light: 0.2, ShiftX: 0.05, Room: room, Noise: seed + 2},
		{Yaw: -4, Pitch: 2, Light: 0.4, ShiftX: -0.08, Room: room, Noise: seed + 3},
		{Yaw: 6, Pitch: -1, Roll: -1, Light: -0.5, ShiftX: 0.10, ShiftY: 0.03, Room: room, Noise: seed + 4},
		{Yaw: -3, Pitch: -2, Roll: 2, Light: -0.2, ShiftY: -0.03, Room: room, Noise: seed + 5},
		{Yaw: 1, Roll: -2, Light: 0.1, Brightness: 0.92, ShiftX: -0.03, Room: room, Noise: seed + 6},
	}
}

// Sizes and qualities of the files.
const (
	cardWidth, cardHeight = 240, 300
	cardRatio             = 9 // 72,000 bytes of grey become 8 kB
	jpegQuality           = 88
	attackFolder          = "attack-phone"
	attackOf              = "sato"
)
