// A Terraform provider that has schemas and does nothing: it serves what extract.py wrote, so that `validate`, and `test`
// with mocked providers, run where no real provider can be had.
//
// It never configures itself, so it can neither plan nor apply against anything, and it checks no value beyond its type.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type block struct {
	Attributes map[string]attribute   `json:"attributes"`
	Blocks     map[string]nestedBlock `json:"blocks"`
}

type attribute struct {
	Type     json.RawMessage `json:"type"`
	Nested   string          `json:"nested"`
	Block    *block          `json:"block"`
	Required bool            `json:"required"`
	Optional bool            `json:"optional"`
	Computed bool            `json:"computed"`
}

type nestedBlock struct {
	Nesting  string `json:"nesting"`
	MinItems int64  `json:"min_items"`
	MaxItems int64  `json:"max_items"`
	Block    block  `json:"block"`
}

type schemas struct {
	Name      string           `json:"name"`
	Provider  block            `json:"provider"`
	Resource  map[string]block `json:"resource"`
	Data      map[string]block `json:"data"`
	Ephemeral map[string]block `json:"ephemeral"`
}

func main() {
	// The schemas lie beside the plugin: Terraform passes no arguments.
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(self), "schemas.json"))
	if err != nil {
		log.Fatal(err)
	}
	var known schemas
	if err := json.Unmarshal(text, &known); err != nil {
		log.Fatal(err)
	}
	err = tf6server.Serve(known.Name, func() tfprotov6.ProviderServer { return &provider{schemas: known} })
	if err != nil {
		log.Fatal(err)
	}
}

// What the embedded interface has beyond the methods below is reached only by a configured provider, and this never is.
type provider struct {
	tfprotov6.ProviderServer
	schemas schemas
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{ServerCapabilities: &tfprotov6.ServerCapabilities{}}
	for name := range p.schemas.Resource {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range p.schemas.Data {
		answer.DataSources = append(answer.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	for name := range p.schemas.Ephemeral {
		answer.EphemeralResources = append(answer.EphemeralResources, tfprotov6.EphemeralResourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		ServerCapabilities:       &tfprotov6.ServerCapabilities{},
		Provider:                 schema(p.schemas.Provider),
		ResourceSchemas:          all(p.schemas.Resource),
		DataSourceSchemas:        all(p.schemas.Data),
		EphemeralResourceSchemas: all(p.schemas.Ephemeral),
	}, nil
}

func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: []*tfprotov6.Diagnostic{{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  "this provider has schemas alone",
		Detail:   "It serves validate and tests with mocked providers. To plan and apply take the real one.",
	}}}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

// The one check that Terraform leaves to providers and that schemas suffice for.
func (p *provider) ValidateResourceConfig(_ context.Context, request *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	known := p.schemas.Resource[request.TypeName]
	value, err := request.Config.Unmarshal(schema(known).ValueType())
	if err != nil {
		return nil, err
	}
	var given map[string]tftypes.Value
	if err := value.As(&given); err != nil {
		return nil, err
	}
	answer := &tfprotov6.ValidateResourceConfigResponse{}
	for name, a := range known.Attributes {
		if a.Computed && !a.Optional && !given[name].IsNull() {
			answer.Diagnostics = append(answer.Diagnostics, &tfprotov6.Diagnostic{
				Severity:  tfprotov6.DiagnosticSeverityError,
				Summary:   "Value for an attribute that is computed",
				Detail:    fmt.Sprintf("%s of %s is the provider's to set.", name, request.TypeName),
				Attribute: tftypes.NewAttributePath().WithAttributeName(name),
			})
		}
	}
	return answer, nil
}

// Reached in tests that apply: what a mock made comes back from the state.
func (p *provider) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &tfprotov6.DynamicValue{JSON: request.RawState.JSON}}, nil
}

func (p *provider) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (p *provider) ValidateEphemeralResourceConfig(context.Context, *tfprotov6.ValidateEphemeralResourceConfigRequest) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return &tfprotov6.ValidateEphemeralResourceConfigResponse{}, nil
}

func all(blocks map[string]block) map[string]*tfprotov6.Schema {
	out := map[string]*tfprotov6.Schema{}
	for name, b := range blocks {
		out[name] = schema(b)
	}
	return out
}

func schema(b block) *tfprotov6.Schema {
	return &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{Attributes: attributes(b, false), BlockTypes: blocks(b)}}
}

func blocks(b block) []*tfprotov6.SchemaNestedBlock {
	var out []*tfprotov6.SchemaNestedBlock
	for name, nested := range b.Blocks {
		nesting := map[string]tfprotov6.SchemaNestedBlockNestingMode{
			"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
			"struct": tfprotov6.SchemaNestedBlockNestingModeSingle,
			"list":   tfprotov6.SchemaNestedBlockNestingModeList,
			"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
			"map":    tfprotov6.SchemaNestedBlockNestingModeMap,
		}[nested.Nesting]
		if nesting == tfprotov6.SchemaNestedBlockNestingModeInvalid {
			log.Fatalf("%s: no nesting %q", name, nested.Nesting)
		}
		out = append(out, &tfprotov6.SchemaNestedBlock{
			TypeName: name,
			Nesting:  nesting,
			MinItems: nested.MinItems,
			MaxItems: nested.MaxItems,
			Block:    &tfprotov6.SchemaBlock{Attributes: attributes(nested.Block, false), BlockTypes: blocks(nested.Block)},
		})
	}
	return out
}

func attributes(b block, writeOnly bool) []*tfprotov6.SchemaAttribute {
	var out []*tfprotov6.SchemaAttribute
	for name, a := range b.Attributes {
		// The bindings do not say which arguments are write-only; the providers name all of them so.
		only := writeOnly || strings.HasSuffix(name, "_wo")
		s := &tfprotov6.SchemaAttribute{
			Name: name, Required: a.Required, Optional: a.Optional, Computed: a.Computed, WriteOnly: only && !a.Computed,
		}
		if a.Block == nil {
			s.Type = ctyType(a.Type)
		} else {
			nesting := map[string]tfprotov6.SchemaObjectNestingMode{
				"single": tfprotov6.SchemaObjectNestingModeSingle,
				"struct": tfprotov6.SchemaObjectNestingModeSingle,
				"list":   tfprotov6.SchemaObjectNestingModeList,
				"set":    tfprotov6.SchemaObjectNestingModeSet,
				"map":    tfprotov6.SchemaObjectNestingModeMap,
			}[a.Nested]
			s.NestedType = &tfprotov6.SchemaObject{Nesting: nesting, Attributes: attributes(*a.Block, only)}
		}
		out = append(out, s)
	}
	return out
}

func ctyType(text json.RawMessage) tftypes.Type {
	var name string
	if json.Unmarshal(text, &name) == nil {
		return map[string]tftypes.Type{
			"string": tftypes.String, "number": tftypes.Number, "bool": tftypes.Bool, "dynamic": tftypes.DynamicPseudoType,
		}[name]
	}
	var collection []json.RawMessage
	if err := json.Unmarshal(text, &collection); err != nil || len(collection) != 2 {
		log.Fatalf("no type: %s", text)
	}
	of := ctyType(collection[1])
	switch kind := string(collection[0]); kind {
	case `"list"`:
		return tftypes.List{ElementType: of}
	case `"set"`:
		return tftypes.Set{ElementType: of}
	case `"map"`:
		return tftypes.Map{ElementType: of}
	default:
		panic(fmt.Sprintf("no collection %s", kind))
	}
}
