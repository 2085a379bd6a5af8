// The few verbs of crictl that kubeadm and a person at a broken node need, over CRI v1alpha2 (containerd up to 1.7;
// the tree it is built in knows no other). Debian has no crictl.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
)

const usage = `usage: crictl [-r ENDPOINT] VERB
  info | images | inspecti IMAGE | pull IMAGE
  pods [-q] | ps [-a] [-q] | stopp POD… | rmp [-f] POD… | logs [--tail N] CONTAINER`

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "crictl:", err)
		os.Exit(1)
	}
}

func short(id string) string {
	if len(id) > 13 {
		return id[:13]
	}
	return id
}

// tail prints the last n lines of a container's log (all if n < 0), without time, stream and the partial-line tag.
func tail(path string, n int) {
	data, err := os.ReadFile(path)
	check(err)
	lines := strings.SplitAfter(string(data), "\n")
	if len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if n >= 0 && len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	for _, line := range lines {
		if part := strings.SplitN(line, " ", 4); len(part) == 4 {
			line = part[3]
		}
		fmt.Print(line)
	}
}

func main() {
	endpoint := os.Getenv("CONTAINER_RUNTIME_ENDPOINT")
	if endpoint == "" {
		endpoint = "/run/containerd/containerd.sock"
	}
	lines, all, quiet, force := -1, false, false, false
	var words []string
	for i := 1; i < len(os.Args); i++ {
		flag, value := os.Args[i], ""
		if at := strings.Index(flag, "="); strings.HasPrefix(flag, "-") && at > 0 {
			flag, value = flag[:at], flag[at+1:]
		}
		takes := func() string {
			if value == "" && i+1 < len(os.Args) {
				i++
				value = os.Args[i]
			}
			return value
		}
		switch flag {
		case "-r", "--runtime-endpoint", "-i", "--image-endpoint":
			endpoint = takes()
		case "--tail":
			n, err := strconv.Atoi(takes())
			check(err)
			lines = n
		case "-a", "--all":
			all = true
		case "-q", "--quiet":
			quiet = true
		case "-f", "--force":
			force = true
		default:
			if strings.HasPrefix(flag, "-") {
				check(fmt.Errorf("unknown option %s\n%s", flag, usage))
			}
			words = append(words, os.Args[i])
		}
	}
	if len(words) == 0 {
		check(fmt.Errorf("no verb\n%s", usage))
	}
	verb, words := words[0], words[1:]
	last := func() string {
		if len(words) == 0 {
			check(fmt.Errorf("%s needs an argument\n%s", verb, usage))
		}
		return words[len(words)-1]
	}

	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Second)
	defer cancel()
	path := strings.TrimPrefix(endpoint, "unix://")
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	c, err := grpc.DialContext(ctx, "localhost", grpc.WithInsecure(), grpc.WithContextDialer(dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	check(err)
	runtime, image := cri.NewRuntimeServiceClient(c), cri.NewImageServiceClient(c)

	switch verb {
	case "info":
		r, err := runtime.Status(ctx, &cri.StatusRequest{})
		check(err)
		for _, x := range r.Status.Conditions {
			fmt.Println(x.Type, x.Status, x.Reason, x.Message)
		}
	case "images":
		r, err := image.ListImages(ctx, &cri.ListImagesRequest{})
		check(err)
		for _, x := range r.Images {
			fmt.Println(strings.Join(x.RepoTags, ","), x.Id, x.Size_)
		}
	case "inspecti":
		r, err := image.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: last()}})
		check(err)
		if r.Image == nil {
			check(fmt.Errorf("no such image %q present", last()))
		}
		fmt.Println(r.Image.Id)
	case "pull":
		r, err := image.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: last()}})
		check(err)
		fmt.Println(r.ImageRef)
	case "pods":
		r, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		check(err)
		for _, x := range r.Items {
			if quiet {
				fmt.Println(x.Id)
			} else {
				fmt.Println(short(x.Id), x.State, x.Metadata.Namespace, x.Metadata.Name)
			}
		}
	case "ps":
		r, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{})
		check(err)
		for _, x := range r.Containers {
			if !all && x.State != cri.ContainerState_CONTAINER_RUNNING {
				continue
			}
			if quiet {
				fmt.Println(x.Id)
			} else {
				fmt.Println(short(x.Id), x.State, x.Metadata.Name, x.Metadata.Attempt, short(x.PodSandboxId))
			}
		}
	case "stopp", "rmp":
		last()
		for _, id := range words {
			if verb == "stopp" || force {
				_, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id})
				check(err)
			}
			if verb == "rmp" {
				_, err := runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
				check(err)
			}
		}
	case "logs":
		list, err := runtime.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{Id: last()}})
		check(err)
		if len(list.Containers) != 1 {
			check(fmt.Errorf("%q names %d containers", last(), len(list.Containers)))
		}
		r, err := runtime.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: list.Containers[0].Id})
		check(err)
		tail(r.Status.LogPath, lines)
	default:
		check(fmt.Errorf("unknown verb %s\n%s", verb, usage))
	}
}
