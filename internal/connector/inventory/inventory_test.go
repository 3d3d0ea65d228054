package inventory

import (
	"reflect"
	"testing"
)

// A kind of deed that Empty does not look at would be planned, and never done.
func TestDeedsOfAnyKindAreSomethingToDo(t *testing.T) {
	if !(Deeds{}).Empty() {
		t.Error("no deeds are something to do")
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Deeds]()) {
		var d Deeds
		one := reflect.MakeSlice(field.Type, 1, 1)
		reflect.ValueOf(&d).Elem().FieldByIndex(field.Index).Set(one)
		if d.Empty() {
			t.Errorf("%s alone are nothing to do", field.Name)
		}
	}
}
