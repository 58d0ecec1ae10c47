"""Cache builds resume after interruptions and never damage other files."""

import resource
import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.caching import (
    COUNT,
    add_image,
    assert_as_in_files,
    count_cached,
    index_entries,
    make_cache,
    open_cached,
    open_split,
    samples_equal,
    write_images,
)

from sceneparse.data.cache.format import default_cache_folder
from sceneparse.data.dataset import Sample
from sceneparse.errors import InputError
from sceneparse.recording.events import Event, Progress
from sceneparse.system.user_cache import lock_folder
from sceneparse.tasks.cache import cache_data, cache_notes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a folder of images without splits."""
    write_images(tmp_path / "data")
    return tmp_path / "data"


def damage(folder: Path, name: str, at: int = 50) -> None:
    offset = index_entries(folder)[name][1] + at
    with (folder / "all.pixels").open("r+b") as file:
        file.seek(offset)
        value = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([value ^ 1]))


def test_the_cache_holds_the_exact_pixels_of_both_splits(root: Path) -> None:
    assert "all: 10 images, " in make_cache(root)
    assert count_cached(root) == COUNT
    assert_as_in_files(root)
    assert make_cache(root).strip() == "all: 10 images, all cached"


def test_the_reported_size_is_the_written_size(root: Path) -> None:
    output = make_cache(root)
    assert "0.0 MB to write" in output
    (root / "images" / "0.png").unlink()
    (root / "masks" / "0.png").unlink()
    for kind, mode in (("images", "RGB"), ("masks", "L")):
        Image.new(mode, (1000, 700)).save(root / kind / "0.png")
    assert "10 images, 9 already cached, 2.8 MB to write" in make_cache(root)
    before = 21 * 35 * 4
    pixels = (default_cache_folder(root) / "all.pixels").stat().st_size
    assert 2_800_000 < pixels - before < 2_800_000 + COUNT * (30 * 30 * 4 + 64)


def test_a_stopped_build_resumes(root: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache_data(root, callback=stop)
    folder = default_cache_folder(root)
    done = index_entries(folder)
    assert list(done) == [str(number) for number in range(6)]
    assert count_cached(root) == 6
    assert "10 images, 6 already cached" in make_cache(root)
    after = index_entries(folder)
    assert {name: after[name] for name in done} == done
    assert count_cached(root) == COUNT
    assert_as_in_files(root)


def test_a_broken_image_is_found_before_anything_is_written(root: Path) -> None:
    content = (root / "images" / "6.png").read_bytes()
    (root / "images" / "6.png").write_bytes(content[:150])
    with pytest.raises(InputError, match=r"images/6\.png: broken or truncated"):
        make_cache(root)
    assert not default_cache_folder(root).exists()


def test_a_build_killed_while_writing_resumes(root: Path) -> None:
    make_cache(root)
    folder = default_cache_folder(root)
    # A killed build leaves pixels without an index line, and half a line.
    index = (folder / "all.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "all.jsonl").write_bytes(b"".join(index[:5]) + index[5][:20])
    assert count_cached(root) == 4
    assert "10 images, 4 already cached" in make_cache(root)
    assert count_cached(root) == COUNT
    assert_as_in_files(root)
    # A crash of the system can also lose the end of the pixels.
    size = (folder / "all.pixels").stat().st_size
    with (folder / "all.pixels").open("r+b") as file:
        file.truncate(size - 100)
    assert count_cached(root) == COUNT - 1
    assert_as_in_files(root)
    assert "10 images, 9 already cached" in make_cache(root)
    assert_as_in_files(root)


def test_a_full_disk_is_reported_and_the_written_entries_are_kept(root: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"all\.pixels: cannot be written \(.*what is there is"
        ):
            make_cache(root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    done = index_entries(default_cache_folder(root))
    assert 0 < len(done) < COUNT
    make_cache(root)
    assert {name: index_entries(default_cache_folder(root))[name] for name in done} == done
    assert_as_in_files(root)


def test_a_cache_that_does_not_fit_on_the_disk_is_not_started(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)._replace(free=20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        InputError, match=r"found 0\.0 MB of free disk space, expected at least 0\.0 MB; free"
    ):
        make_cache(root)
    assert not (default_cache_folder(root) / "all.pixels").exists()


def test_only_changed_images_are_decoded_again(root: Path) -> None:
    make_cache(root)
    before = index_entries(default_cache_folder(root))
    add_image(root, 3, seed=77)
    add_image(root, 11)
    for kind in ("images", "masks"):
        (root / kind / "8.png").unlink()
    assert count_cached(root) == COUNT - 2
    assert_as_in_files(root)
    notes = list(
        cache_notes({"training": open_split(root), "validation": open_split(root, "validation")})
    )
    assert notes
    assert all(note.endswith(f"renew it: sceneparse data cache {root}") for note in notes)
    assert "10 images, 8 already cached" in make_cache(root)
    after = index_entries(default_cache_folder(root))
    assert {name for name in after if after[name] != before.get(name)} == {"3", "11"}
    assert "8" not in after
    assert count_cached(root) == COUNT
    assert_as_in_files(root)
    assert not list(cache_notes({"training": open_split(root)}))


def test_a_run_keeps_its_pixels_while_the_cache_is_renewed(root: Path) -> None:
    make_cache(root)
    old = open_cached(root)
    before = [
        Sample(old[index].image.copy(), old[index].mask.copy(), old[index].name)
        for index in range(len(old))
    ]
    running = open_cached(root)
    for seed in range(3):
        for number in range(COUNT):
            add_image(root, number, seed=100 + 10 * seed + number)
        make_cache(root)
    assert all(samples_equal(running[index], before[index]) for index in range(len(old)))
    assert_as_in_files(root)


def test_unused_space_is_at_most_as_large_as_used_space(root: Path) -> None:
    make_cache(root)
    size = (default_cache_folder(root) / "all.pixels").stat().st_size
    for seed in range(5):
        for number in range(0, COUNT, 2):
            add_image(root, number, seed=100 + 10 * seed + number)
        make_cache(root)
        assert (default_cache_folder(root) / "all.pixels").stat().st_size <= 2 * size + 64 * COUNT
        assert count_cached(root) == COUNT
        assert_as_in_files(root)


def test_masks_are_cached_again_for_other_ids_but_not_for_other_names(root: Path) -> None:
    make_cache(root)
    (root / "labels.yaml").write_text("classes: [sky, rose, leaf, sea]\n")
    assert count_cached(root) == COUNT
    (root / "labels.yaml").write_text("classes: {1: rose, 2: leaf, 3: sea}\nignored_ids: [0]\n")
    assert count_cached(root) == 0
    assert_as_in_files(root)
    assert "10 images, 0.0 MB to write" in make_cache(root)
    assert count_cached(root) == COUNT
    assert_as_in_files(root)


@pytest.mark.parametrize("at", [50, 900])
def test_damaged_pixels_are_refused_and_the_named_command_rewrites_them(
    at: int, root: Path
) -> None:
    make_cache(root)
    folder = default_cache_folder(root)
    name = open_cached(root).names[1]
    damage(folder, name, at)
    with pytest.raises(InputError) as caught:
        _ = open_cached(root)[1]
    assert f"all.pixels: the pixels of {name} are damaged: CRC-32 " in str(caught.value)
    assert str(caught.value).endswith(f"rewrite them with: sceneparse data cache {root} --check")
    assert "all cached" in make_cache(root)
    before = index_entries(folder)
    assert "9 already cached" in make_cache(root, check=True)
    assert {key for key, line in index_entries(folder).items() if line != before[key]} == {name}
    assert_as_in_files(root)


def test_concurrent_builds_are_refused(root: Path) -> None:
    with lock_folder(default_cache_folder(root), "this cache"):
        with pytest.raises(InputError, match="another process is writing this cache; wait"):
            make_cache(root)
        make_cache(root, to=root.parent / "elsewhere")
    make_cache(root)


def test_a_folder_that_cannot_be_created_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"file/cache: cannot be written to .*choose a writable"):
        make_cache(root, to=tmp_path / "file" / "cache")


def test_files_that_are_not_a_cache_are_not_changed(root: Path, tmp_path: Path) -> None:
    for name in ("all.jsonl", "all.pixels"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match=r"all\.jsonl: not the index of a cache; delete it"):
            make_cache(root, to=tmp_path)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


def test_the_cache_of_another_data_set_is_not_changed(root: Path, tmp_path: Path) -> None:
    make_cache(root, to=tmp_path / "cache")
    shutil.copytree(root, tmp_path / "moved", copy_function=shutil.copy2)
    assert count_cached(tmp_path / "moved", cache=tmp_path / "cache") == COUNT
    make_cache(tmp_path / "moved", to=tmp_path / "cache")
    shutil.rmtree(tmp_path / "moved")
    for number in range(3):
        (tmp_path / "moved" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "moved" / "masks").mkdir(exist_ok=True)
        add_image(tmp_path / "moved", number, seed=50 + number)
    shutil.copy(root / "labels.yaml", tmp_path / "moved")
    make_cache(root, to=tmp_path / "cache")
    with pytest.raises(InputError, match=r"belongs to another data set, .*data; choose another"):
        make_cache(tmp_path / "moved", to=tmp_path / "cache")
    assert count_cached(root, cache=tmp_path / "cache") == COUNT


def test_a_cache_of_another_short_side_is_not_changed(root: Path, tmp_path: Path) -> None:
    make_cache(root, to=tmp_path / "cache", short_side=16)
    with pytest.raises(InputError, match="short_side 16, expected None; choose another folder"):
        make_cache(root, to=tmp_path / "cache")


def test_a_split_of_a_folder_without_splits_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match=r"data: has no splits, .*leave out the split"):
        make_cache(root, "training")
