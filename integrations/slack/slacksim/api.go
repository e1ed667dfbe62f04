package slacksim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// apiError is how a Web API call fails.
type apiError struct {
	Code             string
	needed, provided string
	messages         []string
	status           int  // 200 when zero, as Slack answers
	retryAfter       int  // s
	raw              bool // a broken server, which answers no JSON
}

func (e *apiError) Error() string {
	return strings.Join(append([]string{e.Code}, e.messages...), " ")
}

func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		c := *e
		return &c
	}
	var r *Refusal
	if errors.As(err, &r) {
		return &apiError{Code: r.Code}
	}
	return &apiError{Code: "fatal_error", messages: []string{err.Error()}, status: http.StatusInternalServerError}
}

func (e *apiError) write(w http.ResponseWriter) {
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	if e.raw {
		http.Error(w, "upstream error", e.status)
		return
	}
	out := map[string]any{"ok": false, "error": e.Code}
	if e.needed != "" {
		out["needed"], out["provided"] = e.needed, e.provided
	}
	if len(e.messages) > 0 {
		out["response_metadata"] = map[string]any{"messages": e.messages}
	}
	writeJSON(w, e.status, out)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status != 0 {
		w.WriteHeader(status)
	}
	_, _ = w.Write(encodeJSON(v)) // a client that has gone is its own affair
}

// call is one Web API call.
type call struct {
	s      *Sim
	method string
	args   url.Values
}

func (c *call) get(name string) string { return c.args.Get(name) }

func (c *call) flag(name string) bool {
	v := c.args.Get(name)
	return v == "true" || v == "1"
}

// limit is the page size asked for.
func (c *call) limit(normal, most int) (int, error) {
	v := c.get("limit")
	if v == "" {
		return normal, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, &apiError{Code: "invalid_limit"}
	}
	return min(n, most), nil
}

func (c *call) json(name string) json.RawMessage {
	if v := c.args.Get(name); v != "" {
		return json.RawMessage(v)
	}
	return nil
}

// method describes one Web API method.
type method struct {
	args  string // what it takes; what it must have is marked with a star
	scope string // what the bot token needs; alternatives are separated by |
	tier  int    // calls a minute; 0 is not limited
	do    func(*call) (map[string]any, error)
}

const (
	tier2 = 20
	tier3 = 50
	tier4 = 100

	messageArgs = "*channel text blocks attachments as_user icon_emoji icon_url link_names metadata mrkdwn parse " +
		"reply_broadcast thread_ts unfurl_links unfurl_media username markdown_text"
)

// webAPI is the whole Web API of the workspace. The tiers are Slack's.
func webAPI() map[string]method {
	return map[string]method{
		"auth.test":             {do: authTest},
		"apps.connections.open": {tier: tier3, do: connectionsOpen},
		"team.info":             {args: "team domain", scope: "team:read", tier: tier3, do: teamInfo},
		"bots.info":             {args: "bot team_id", scope: "users:read", tier: tier3, do: botsInfo},

		"chat.postMessage":   {args: messageArgs, scope: "chat:write", do: postMessage},
		"chat.postEphemeral": {args: strings.ReplaceAll(messageArgs, " metadata", "") + " *user", scope: "chat:write", tier: tier4, do: postEphemeral},
		"chat.update":        {args: messageArgs + " *ts file_ids", scope: "chat:write", tier: tier3, do: updateMessage},
		"chat.delete":        {args: "*channel *ts as_user", scope: "chat:write", tier: tier3, do: deleteMessage},
		"chat.getPermalink":  {args: "*channel *message_ts", do: permalink},

		"conversations.list":     {args: "cursor limit exclude_archived types team_id", scope: "channels:read|groups:read|im:read", tier: tier2, do: listChannels},
		"conversations.info":     {args: "*channel include_locale include_num_members", scope: "channels:read|groups:read|im:read", tier: tier3, do: channelInfo},
		"conversations.setTopic": {args: "*channel topic", scope: "channels:manage|channels:write.topic|groups:write|groups:write.topic", tier: tier2, do: setTopic},
		"conversations.members":  {args: "*channel cursor limit", scope: "channels:read|groups:read|im:read", tier: tier4, do: members},
		"conversations.join":     {args: "*channel", scope: "channels:join", tier: tier3, do: join},
		"conversations.open":     {args: "users channel return_im prevent_creation", scope: "im:write", tier: tier3, do: openConversation},
		"conversations.history":  {args: "*channel cursor limit latest oldest inclusive include_all_metadata", scope: "channels:history|groups:history|im:history", tier: tier3, do: history},
		"conversations.replies":  {args: "*channel *ts cursor limit latest oldest inclusive include_all_metadata", scope: "channels:history|groups:history|im:history", tier: tier3, do: replies},

		"users.info":          {args: "*user include_locale", scope: "users:read", tier: tier4, do: userInfo},
		"users.list":          {args: "cursor limit include_locale team_id presence", scope: "users:read", tier: tier2, do: listUsers},
		"users.lookupByEmail": {args: "*email", scope: "users:read.email", tier: tier3, do: lookupByEmail},

		"usergroups.list":         {args: "include_count include_disabled include_users team_id", scope: "usergroups:read", tier: tier2, do: grouped(listGroups)},
		"usergroups.users.list":   {args: "*usergroup include_disabled team_id", scope: "usergroups:read", tier: tier2, do: grouped(listGroupUsers)},
		"usergroups.users.update": {args: "*usergroup users include_count team_id additional_channels is_shared", scope: "usergroups:write", tier: tier2, do: grouped(updateGroupUsers)},

		"views.open":    {args: "trigger_id interactivity_pointer *view", tier: tier4, do: openView},
		"views.push":    {args: "trigger_id interactivity_pointer *view", tier: tier4, do: pushView},
		"views.update":  {args: "*view view_id external_id hash", tier: tier4, do: updateView},
		"views.publish": {args: "*user_id *view hash", tier: tier4, do: publishView},

		"files.getUploadURLExternal":   {args: "*filename *length alt_txt snippet_type", scope: "files:write", tier: tier4, do: uploadURL},
		"files.completeUploadExternal": {args: "*files channel_id channels thread_ts initial_comment blocks", scope: "files:write", tier: tier4, do: completeUpload},
		"files.info":                   {args: "*file count page limit cursor", scope: "files:read", tier: tier4, do: fileInfo},

		"reactions.add": {args: "*channel *name *timestamp", scope: "reactions:write", tier: tier3, do: addReaction},
	}
}

func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	w.Header().Set("X-Oauth-Scopes", strings.Join(s.scopes(), ","))
	m, ok := s.methods[name]
	if !ok {
		(&apiError{Code: "unknown_method"}).write(w)
		return
	}
	args, err := readArgs(r)
	if err != nil {
		(&apiError{Code: "invalid_form_data", messages: []string{err.Error()}}).write(w)
		return
	}
	if e := s.allow(name, m, r, args); e != nil {
		s.refused(name, e)
		e.write(w)
		return
	}
	if e := s.misbehave(name); e != nil {
		e.write(w)
		return
	}
	s.hook("before", name, args)
	out, err := m.do(&call{s: s, method: name, args: args})
	s.hook("after", name, args)
	if e := s.afterwards(name); e != nil {
		e.write(w)
		return
	}
	if err != nil {
		e := asAPIError(err)
		s.refused(name, e)
		e.write(w)
		return
	}
	out["ok"] = true
	writeJSON(w, 0, out)
}

// mistakes are the errors that only a client with a mistake in it gets; the
// others are part of life in a workspace.
var mistakes = []string{
	"invalid_arguments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text",
	"cant_update_message", "invalid_auth", "not_authed", "not_allowed_token_type", "missing_scope",
	"invalid_metadata_format", "ratelimited", "expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id",
	"invalid_view", "no_users_provided", "too_long",
}

func (s *Sim) refused(name string, e *apiError) {
	if slices.Contains(mistakes, e.Code) {
		s.violate("%s: %s", name, e)
	}
}

func (s *Sim) hook(stage, name string, args url.Values) {
	s.mu.Lock()
	f := s.onCall
	s.mu.Unlock()
	if f != nil {
		f(stage, name, args)
	}
}

// afterwards lets the faults happen that come after a call has acted.
func (s *Sim) afterwards(name string) *apiError {
	if s.faults.take("lose_reply", name) != nil {
		panic(http.ErrAbortHandler)
	}
	if f := s.faults.take("error_after", name); f != nil {
		return &apiError{Code: "internal_error", status: f.status(), raw: true}
	}
	return nil
}

// scopes of the bot token.
func (s *Sim) scopes() []string {
	if s.cfg.Scopes != nil {
		return s.cfg.Scopes
	}
	var all []string
	for _, m := range s.methods {
		if m.scope != "" {
			all = append(all, strings.Split(m.scope, "|")...)
		}
	}
	all = append(all, "commands", "app_mentions:read")
	slices.Sort(all)
	return slices.Compact(all)
}

// granted says that the bot token has one of these scopes.
func (s *Sim) granted(one ...string) bool {
	has := s.scopes()
	return slices.ContainsFunc(one, func(x string) bool { return slices.Contains(has, x) })
}

// allow checks token, scope, arguments and tier, in the order Slack does.
func (s *Sim) allow(name string, m method, r *http.Request, args url.Values) *apiError {
	token := args.Get("token")
	args.Del("token")
	bearer, inHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if name == "apps.connections.open" {
		switch {
		case !inHeader:
			return &apiError{Code: "not_authed", messages: []string{"the app token belongs in the Authorization header"}}
		case bearer == s.cfg.BotToken:
			return &apiError{Code: "not_allowed_token_type"}
		case bearer != s.cfg.AppToken:
			return &apiError{Code: "invalid_auth"}
		}
		return s.fit(name, m, args)
	}
	if inHeader {
		token = bearer
	}
	switch {
	case token == "":
		return &apiError{Code: "not_authed"}
	case token == s.cfg.AppToken && name != "auth.test":
		return &apiError{Code: "not_allowed_token_type"}
	case token != s.cfg.BotToken && token != s.cfg.AppToken:
		return &apiError{Code: "invalid_auth"}
	}
	if m.scope != "" && !s.granted(strings.Split(m.scope, "|")...) {
		return &apiError{Code: "missing_scope", needed: strings.ReplaceAll(m.scope, "|", ","), provided: strings.Join(s.scopes(), ",")}
	}
	return s.fit(name, m, args)
}

// fit checks the arguments and the tier.
func (s *Sim) fit(name string, m method, args url.Values) *apiError {
	if !s.cfg.Lenient {
		if wait := s.limits.method(name, m.tier); wait > 0 {
			return &apiError{Code: "ratelimited", status: http.StatusTooManyRequests, retryAfter: wait}
		}
	}
	want := strings.Fields(m.args)
	var wrong []string
	for a := range args {
		if !slices.Contains(want, a) && !slices.Contains(want, "*"+a) {
			wrong = append(wrong, fmt.Sprintf("[ERROR] unknown argument: %s", a))
		}
	}
	for _, a := range want {
		if must, ok := strings.CutPrefix(a, "*"); ok && args.Get(must) == "" {
			wrong = append(wrong, fmt.Sprintf("[ERROR] missing required field: %s", must))
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		return &apiError{Code: "invalid_arguments", messages: wrong}
	}
	return nil
}

// readArgs takes the arguments from the query and from a form, a multipart form
// or a JSON body. A JSON value that is not a string stays JSON.
func readArgs(r *http.Request) (url.Values, error) {
	args := r.URL.Query()
	if r.Method == http.MethodGet {
		return args, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		return args, readJSONArgs(args, body)
	case "multipart/form-data":
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := r.ParseMultipartForm(4 << 20); err != nil {
			return nil, err
		}
		for k, v := range r.MultipartForm.Value {
			args[k] = v
		}
		return args, nil
	}
	form, err := url.ParseQuery(string(body))
	for k, v := range form {
		args[k] = v
	}
	return args, err
}

func readJSONArgs(args url.Values, body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "null" {
		return nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	for k, v := range m {
		var str string
		switch {
		case string(v) == "null":
		case json.Unmarshal(v, &str) == nil:
			args.Set(k, str)
		default:
			args.Set(k, string(v))
		}
	}
	return nil
}
