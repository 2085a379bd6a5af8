// import-images FOLDER…: makes containerd know the container images that the node's read-only root carries, without
// copying them. FOLDER holds one folder per image, as mkroot.sh makes them: an OCI layout (index.json,
// blobs/sha256/) plus layers/<diff ID>/, each layer unpacked.
//
// Blobs become links in containerd's content store, and each layer becomes a committed overlayfs snapshot whose file
// tree is a link to the unpacked folder; all else goes through containerd's API. So the bytes stay under dm-verity,
// which is stronger than checking digests at import, and the state disk gets some kilobytes instead of some hundred
// megabytes. It can be run at every boot: what is there stays, and an image that changed is pointed at its new version.
//
// Limits: the default namespace k8s.io, containerd's default root, the snapshotter overlayfs; layers without whiteouts
// (an overlay's lower layers are taken as they are unpacked).
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	content "github.com/containerd/containerd/api/services/content/v1"
	images "github.com/containerd/containerd/api/services/images/v1"
	leases "github.com/containerd/containerd/api/services/leases/v1"
	snapshots "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	socket      = "/run/containerd/containerd.sock"
	blobStore   = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
	snapshotter = "overlayfs"
	imageName   = "io.containerd.image.name"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

type importer struct {
	ctx       context.Context
	content   content.ContentClient
	images    images.ImagesClient
	snapshots snapshots.SnapshotsClient
}

func is(err error, code codes.Code) bool { return status.Code(err) == code }

func readJSON(path string, into interface{}) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// link makes path a link to target, durably: what containerd's database is told next must not come before it.
func link(target, path string) error {
	if _, err := os.Stat(target); err != nil {
		return err
	}
	if err := os.Symlink(target, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// blob makes the content store know one blob of the layout at folder.
func (im *importer) blob(folder string, d descriptor, labels map[string]string) error {
	if err := d.Digest.Validate(); err != nil {
		return err
	}
	path := filepath.Join(blobStore, d.Digest.Encoded())
	// A link that dangles is from an older root, which had the blob elsewhere.
	if _, err := os.Stat(path); err != nil {
		if err := os.MkdirAll(blobStore, 0755); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := link(filepath.Join(folder, "blobs/sha256", d.Digest.Encoded()), path); err != nil {
			return err
		}
	}
	if _, err := im.content.Info(im.ctx, &content.InfoRequest{Digest: d.Digest}); err == nil {
		return nil
	}
	// The store has the bytes: containerd takes a writer that expects them for finished.
	stream, err := im.content.Write(im.ctx)
	if err != nil {
		return err
	}
	request := &content.WriteContentRequest{Action: content.WriteActionCommit, Ref: "cstl-" + d.Digest.Encoded(),
		Total: d.Size, Expected: d.Digest, Offset: d.Size, Labels: labels}
	if err := stream.Send(request); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil && !is(err, codes.AlreadyExists) {
		return fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return stream.CloseSend()
}

// layer commits the snapshot name, whose file tree is folder, on top of parent.
func (im *importer) layer(folder, name, parent string) error {
	if _, err := im.snapshots.Stat(im.ctx, &snapshots.StatSnapshotRequest{Snapshotter: snapshotter, Key: name}); err == nil {
		return nil
	}
	key := "cstl-import-" + name
	_, err := im.snapshots.Remove(im.ctx, &snapshots.RemoveSnapshotRequest{Snapshotter: snapshotter, Key: key})
	if err != nil && !is(err, codes.NotFound) {
		return err // a leftover of an interrupted run
	}
	made, err := im.snapshots.Prepare(im.ctx,
		&snapshots.PrepareSnapshotRequest{Snapshotter: snapshotter, Key: key, Parent: parent})
	if err != nil {
		return err
	}
	path := ""
	for _, mount := range made.Mounts {
		if mount.Type == "bind" {
			path = mount.Source
		}
		for _, option := range mount.Options {
			if strings.HasPrefix(option, "upperdir=") {
				path = strings.TrimPrefix(option, "upperdir=")
			}
		}
	}
	if path == "" {
		return fmt.Errorf("snapshot %s: containerd named no folder", name)
	}
	if err := os.Remove(path); err != nil { // empty; anything else is not ours
		return err
	}
	if err := link(folder, path); err != nil {
		return err
	}
	_, err = im.snapshots.Commit(im.ctx, &snapshots.CommitSnapshotRequest{Snapshotter: snapshotter, Name: name, Key: key})
	return err
}

func (im *importer) name(name string, d descriptor) error {
	image := images.Image{Name: name, Labels: map[string]string{"io.cri-containerd.image": "managed"},
		Target: types.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size_: d.Size}}
	_, err := im.images.Create(im.ctx, &images.CreateImageRequest{Image: image})
	if is(err, codes.AlreadyExists) {
		var old *images.GetImageResponse
		if old, err = im.images.Get(im.ctx, &images.GetImageRequest{Name: name}); err == nil &&
			old.Image.Target.Digest != d.Digest {
			_, err = im.images.Update(im.ctx, &images.UpdateImageRequest{Image: image})
		}
	}
	return err
}

// image imports the layout at folder under every name that its index has for it.
func (im *importer) image(folder string) error {
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := readJSON(filepath.Join(folder, "index.json"), &index); err != nil {
		return err
	}
	blobs := filepath.Join(folder, "blobs/sha256")
	for _, d := range index.Manifests {
		var manifest struct {
			Config descriptor   `json:"config"`
			Layers []descriptor `json:"layers"`
		}
		if err := readJSON(filepath.Join(blobs, d.Digest.Encoded()), &manifest); err != nil {
			return err
		}
		var config struct {
			RootFS struct {
				DiffIDs []digest.Digest `json:"diff_ids"`
			} `json:"rootfs"`
		}
		if err := readJSON(filepath.Join(blobs, manifest.Config.Digest.Encoded()), &config); err != nil {
			return err
		}
		if len(config.RootFS.DiffIDs) == 0 || len(config.RootFS.DiffIDs) != len(manifest.Layers) {
			return fmt.Errorf("%s: %d layers, %d diff IDs", folder, len(manifest.Layers), len(config.RootFS.DiffIDs))
		}
		refs := map[string]string{"containerd.io/gc.ref.content.config": manifest.Config.Digest.String()}
		chain := ""
		for i, diff := range config.RootFS.DiffIDs {
			parent := chain
			chain = diff.String()
			if parent != "" {
				sum := sha256.Sum256([]byte(parent + " " + chain))
				chain = "sha256:" + hex.EncodeToString(sum[:])
			}
			if err := im.layer(filepath.Join(folder, "layers", diff.Encoded()), chain, parent); err != nil {
				return err
			}
			labels := map[string]string{"containerd.io/uncompressed": diff.String()}
			if err := im.blob(folder, manifest.Layers[i], labels); err != nil {
				return err
			}
			refs[fmt.Sprintf("containerd.io/gc.ref.content.l.%d", i)] = manifest.Layers[i].Digest.String()
		}
		labels := map[string]string{"containerd.io/gc.ref.snapshot." + snapshotter: chain}
		if err := im.blob(folder, manifest.Config, labels); err != nil {
			return err
		}
		if err := im.blob(folder, d, refs); err != nil {
			return err
		}
		if d.Annotations[imageName] == "" {
			return fmt.Errorf("%s: a manifest without %s", folder, imageName)
		}
		if err := im.name(d.Annotations[imageName], d); err != nil {
			return err
		}
		fmt.Println(d.Annotations[imageName])
	}
	return nil
}

func run(folders []string) error {
	if len(folders) == 0 {
		return fmt.Errorf("usage: import-images FOLDER…")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	c, err := grpc.DialContext(ctx, "localhost", grpc.WithInsecure(), grpc.WithContextDialer(dial), grpc.WithBlock())
	if err != nil {
		return err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "containerd-namespace", "k8s.io")
	// Until an image refers to them, the lease keeps blobs and snapshots from being collected.
	lease := "cstl-import-" + fmt.Sprint(os.Getpid())
	expire := map[string]string{"containerd.io/gc.expire": time.Now().Add(time.Hour).Format(time.RFC3339)}
	holder := leases.NewLeasesClient(c)
	if _, err := holder.Create(ctx, &leases.CreateRequest{ID: lease, Labels: expire}); err != nil && !is(err, codes.AlreadyExists) {
		return err
	}
	im := importer{metadata.AppendToOutgoingContext(ctx, "containerd-lease", lease), content.NewContentClient(c),
		images.NewImagesClient(c), snapshots.NewSnapshotsClient(c)}
	for _, folder := range folders {
		layouts, err := filepath.Glob(filepath.Join(folder, "*/index.json"))
		if err != nil {
			return err
		}
		if len(layouts) == 0 {
			return fmt.Errorf("%s holds no image", folder)
		}
		for _, layout := range layouts {
			if err := im.image(filepath.Dir(layout)); err != nil {
				return fmt.Errorf("%s: %w", filepath.Dir(layout), err)
			}
		}
	}
	_, err = holder.Delete(ctx, &leases.DeleteRequest{ID: lease})
	return err
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "import-images:", err)
		os.Exit(1)
	}
}
