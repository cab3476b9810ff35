package pgstore

import "context"

// Versions is the newest schema version.
func Versions() int { return len(migrations()) }

// MigrateTo makes the schema of an older version.
func MigrateTo(ctx context.Context, address string, v int) error {
	o := Options{}
	o.defaults()
	db, err := connect(ctx, address, o, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, db, v)
}

// Setting reads a setting as the store's sessions have it.
func (w *Writer) Setting(ctx context.Context, name string) (v string) {
	_ = w.db.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&v)
	return v
}
