package awssim

// TasksView is a container instance of ECS as the sandbox shows it. Of counts the tasks
// that are not over by their groups: "service:web".
type TasksView struct {
	Cluster string         `json:"cluster"`
	Status  string         `json:"status"`
	Of      map[string]int `json:"of"`
}

// tasksOn is what ECS runs on an instance; nil if it is in no cluster.
func (s *site) tasksOn(i *instance) *TasksView {
	for _, cl := range s.Clusters {
		h := cl.of(i.ID)
		if h == nil {
			continue
		}
		v := &TasksView{Cluster: cl.Name, Status: h.Status, Of: map[string]int{}}
		for _, t := range cl.Tasks {
			if t.Host == h.ID && t.Status != taskStopped {
				v.Of[t.Group]++
			}
		}
		return v
	}
	return nil
}
