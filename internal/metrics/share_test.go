package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	alertsFile    = "../../share/tunadm-alerts.yml"
	dashboardFile = "../../share/tunadm-dashboard.json"
)

// TestOnlyKnownMetricsAreUsed looks for metrics in the alerts, their tests, the dashboard and the examples of the
// manual.
func TestOnlyKnownMetricsAreUsed(t *testing.T) {
	for _, path := range []string{alertsFile, "testdata/alerts.yml", dashboardFile, "../../man/tunadm-metrics.8"} {
		used := regexp.MustCompile(`\btunadm_[a-z_]+[a-z]\b`).FindAllString(read(t, path), -1)
		if len(used) < 5 {
			t.Errorf("%s uses %d metrics", path, len(used))
		}
		for _, name := range used {
			if !slices.ContainsFunc(families(), func(f family) bool { return f.name == name }) {
				t.Errorf("%s uses %s, which does not exist", path, name)
			}
		}
	}
}

// TestAlerts runs the tests of the alerts, of which each has one in which it is silent, and one in which it fires.
func TestAlerts(t *testing.T) {
	tests := read(t, "testdata/alerts.yml")
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatch(read(t, alertsFile), -1)
	manual := read(t, "../../man/tunadm-metrics.8")
	if len(alerts) != 5 {
		t.Errorf("there are %d alerts", len(alerts))
	}
	for _, alert := range alerts {
		cases := strings.Split(tests, "        alertname: "+alert[1]+"\n")[1:]
		fires := func(rest string) bool {
			return strings.HasPrefix(rest, "        exp_alerts:\n          - exp_labels:")
		}
		if len(cases) < 2 || fires(cases[0]) || !slices.ContainsFunc(cases, fires) {
			t.Errorf("%s lacks a test", alert[1])
		}
		if !strings.Contains(manual, "\n.It Cm "+alert[1]+"\n") {
			t.Errorf("the manual lacks %s", alert[1])
		}
	}
	promtool(t, "check", "rules", alertsFile)
	promtool(t, "test", "rules", "testdata/alerts.yml")
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	nstest.NeedProgram(t, "promtool")
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// TestDashboard has promtool parse each expression of the dashboard, with values for the variables.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr, LegendFormat string }
			FieldConfig struct {
				Defaults struct{ Thresholds *struct{} }
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	rules, expressions := "groups:\n- name: dashboard\n  rules:\n", 0
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", "a", "$device", "b")
	for _, p := range dashboard.Panels {
		// Without thresholds, Grafana shows numbers from 80 on in red and others in green, also a 0 that is an error.
		if p.Type == "stat" && p.FieldConfig.Defaults.Thresholds == nil {
			t.Errorf("%s has no thresholds", p.Title)
		}
		for _, target := range p.Targets {
			expr, _ := json.Marshal(variables.Replace(target.Expr))
			rules += fmt.Sprintf("  - record: panel_%d\n    expr: %s\n", expressions, expr)
			expressions++
			if l := target.LegendFormat; strings.Contains(l, "{{device}}") && !strings.Contains(l, "{{netns}}") {
				t.Errorf("%s does not name the network namespace: %s", p.Title, l)
			}
			if strings.Contains(string(expr), "$") {
				t.Errorf("%s has an unknown variable: %s", p.Title, expr)
			}
		}
	}
	if expressions < 10 {
		t.Errorf("%d expressions", expressions)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}
