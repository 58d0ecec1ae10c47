"""Runs on images of other bands than RGB, from training to a GeoTIFF of predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tests.caching import samples_equal
from tests.data.io.geotiffs import CRS, TRANSFORM, random_bands, rasterio, write_tiff

from sceneparse import factory
from sceneparse.config.reading import config_of
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.checks.quick import quick_check
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.io import geotiff
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.factory.torch_loading import find_weights
from sceneparse.recording.events import Event, Message
from sceneparse.tasks.cache import cache_data
from sceneparse.tasks.check import check
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.predict import predict
from sceneparse.tasks.train import train

SIZE = 32
FAST = ("inference.size=64", "inference.flip=false")


def field(index: int, dtype: type = np.uint8) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return four bands, of which the fourth alone shows the plants, and their mask."""
    random = np.random.default_rng(index)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    row, column = random.integers(0, SIZE // 2, 2)
    mask[row : row + SIZE // 2, column : column + SIZE // 2] = 1
    highest = np.iinfo(dtype).max
    pixels = random.integers(0, highest // 2, (SIZE, SIZE, 4)).astype(dtype)
    pixels[..., 3] = np.where(mask == 1, highest, highest // 20)
    return pixels, mask


def write_fields(root: Path, counts: dict[str, int], dtype: type = np.uint8) -> Path:
    for split, count in counts.items():
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            pixels, mask = field(index + 1000 * (split == "validation"), dtype)
            path = root / "images" / split / f"{index}.tif"
            write_tiff(path, pixels, georeferenced=True, photometric="MINISBLACK")
            Image.fromarray(mask).save(root / "masks" / split / f"{index}.png")
    (root / "labels.yaml").write_text("classes: {3: ground, 7: plant}\nignored_ids: [255]\n")
    for path in root.glob("masks/*/*.png"):
        Image.fromarray(np.array([3, 7], np.uint8)[np.asarray(Image.open(path))]).save(path)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four bands of 8 bits, with a georeference."""
    return write_fields(
        tmp_path_factory.mktemp("fields") / "data", {"training": 16, "validation": 4}
    )


def config(root: Path, bands: list[int] | None, epochs: int = 1, **sections: Any) -> Any:
    document = {
        "data": {"kind": "folder", "root": str(root), "bands": bands},
        "model": {"kind": "unet", "width": 8},
        "transform": {"size": SIZE, "flip": 0.5},
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "training": {
            "epochs": epochs,
            "batch_size": 4,
            "precision": "fp32",
            "memory_format": "contiguous",
            "device": "cpu",
        },
        "inference": {"size": SIZE},
        "report": {"images": 1},
    }
    return config_of({**document, **sections}, "test")


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a network of four bands until it finds the plants."""
    folder = tmp_path_factory.mktemp("run") / "run"
    train(config(root, [1, 2, 3, 4], epochs=8), out=folder)
    return folder


def test_a_class_that_the_fourth_band_alone_shows_is_learned(run: Path) -> None:
    assert evaluate(run, device="cpu").scores.miou > 0.8


@pytest.mark.parametrize(
    "bands", [pytest.param([4], marks=pytest.mark.slow), [4, 3, 2, 1]], ids=str
)
def test_a_run_resumes_exactly(bands: list[int], root: Path, tmp_path: Path) -> None:
    transform = {
        "size": SIZE,
        "crop": 0.5,
        "rotation": 20.0,
        "brightness": 0.2,
        "saturation": 0.2,
        "jpeg": 0.5,
        "noise": 0.5,
        "cutmix": 0.5,
    }
    given = config(root, bands, 2, transform=transform)
    whole = train(given, out=tmp_path / "whole")

    class StoppedError(Exception):
        pass

    def stop(event: Event) -> None:
        if type(event).__name__ == "EpochEnded":
            raise StoppedError

    with pytest.raises(StoppedError):
        train(given, out=tmp_path / "halves", callback=stop)
    halves = train(given, out=tmp_path / "halves", resume=True)
    assert halves.best_miou == whole.best_miou
    one, other = (find_weights(tmp_path / name).tensors for name in ("whole", "halves"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(InputError, match=r"another config \(data\.bands: \[1\] instead of"):
        train(config(root, [1], 2, transform=transform), out=tmp_path / "whole", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["imagenet", "bundled", "run"])
def test_a_run_starts_from_weights_of_other_channels(
    start: str, run: Path, root: Path, tmp_path: Path
) -> None:
    said: list[Event] = []
    lite = {"kind": "encoder_unet", "decoder_channels": [16, 8], "output_stride": 8}
    models = {
        "imagenet": {**lite, "weights": "imagenet"},
        "bundled": {**lite, "encoder": "tf_efficientnet_lite2", "weights": "bundled"},
        "run": {"kind": "unet", "width": 8, "weights": str(run)},
    }
    bands = [4] if start == "run" else [1, 2, 3, 4]
    given = config(root, bands, model=models[start], inference={"size": 64})
    trained = train(given, out=tmp_path / "run", callback=said.append)
    assert evaluate(tmp_path / "run", device="cpu").scores.miou == trained.best_miou
    if start != "imagenet":
        channels = "4 to 1" if start == "run" else "3 to 4"
        texts = [event.text for event in said if isinstance(event, Message)]
        assert any(f"first convolution adapted from {channels} channels" in text for text in texts)


def test_data_without_the_bands_of_the_model_are_refused(run: Path, tmp_path: Path) -> None:
    other = write_fields(tmp_path / "other", {"validation": 2})
    for path in other.glob("images/*/*.tif"):
        write_tiff(path, random_bands(3, size=(SIZE, SIZE)))
    with pytest.raises(InputError, match="no band 4; the file has 3 bands"):
        evaluate(run, data=other, device="cpu")
    (record,) = predict(next(other.glob("images/*/0.tif")), out=tmp_path / "out", model=run)
    assert "no band 4" in record.error


def test_the_bundled_model_refuses_four_bands(root: Path, tmp_path: Path) -> None:
    (record,) = predict(root / "images" / "training" / "0.tif", out=tmp_path, overrides=FAST)
    assert "4 bands, and the file does not say" in record.error


def test_predictions_keep_the_georeference(run: Path, root: Path, tmp_path: Path) -> None:
    folder, out = root / "images" / "validation", tmp_path / "out"
    records = predict(folder, out=out, model=run)
    assert [record.error for record in records] == [""] * 4
    for record in records:
        assert record.results.geotiff == out / f"{record.image.stem}.tif"
        ids = np.asarray(Image.open(record.results.mask))
        assert set(np.unique(ids)) <= {3, 7}
        with rasterio.open(record.results.geotiff) as dataset:
            np.testing.assert_array_equal(dataset.read(1), ids)
            assert dataset.crs == rasterio.CRS.from_string(CRS)
            assert dataset.transform == TRANSFORM
            assert dataset.colormap(1)[7][:3] == load(run).labels.colors[1]
    target = np.asarray(Image.open(root / "masks" / "validation" / "0.png"))
    assert np.mean(np.asarray(Image.open(out / "0.png")) == target) > 0.9
    assert predict(folder, out=out, model=run) == []
    (out / "1.tif").unlink()
    assert [record.image.stem for record in predict(folder, out=out, model=run)] == ["1"]
    assert (out / "1.tif").exists()


def test_polygons_of_georeferenced_images_lie_on_earth(
    run: Path, root: Path, tmp_path: Path
) -> None:
    image = root / "images" / "validation" / "0.tif"
    (record,) = predict(image, out=tmp_path, model=run, formats=["geojson"])
    assert list(record.results) == [tmp_path / "0.geojson"]
    document = json.loads(record.results.geojson.read_text())
    assert document["coordinates_are"].startswith("longitude and latitude")
    polygons = [each["geometry"]["coordinates"] for each in document["features"]]
    corners = np.concatenate(
        [np.array(ring) for each in polygons for rings in each for ring in rings]
    )
    west, south, east, north = rasterio.warp.transform_bounds(
        CRS, "EPSG:4326", *rasterio.transform.array_bounds(SIZE, SIZE, TRANSFORM)
    )
    assert (corners.min(axis=0) >= [west - 1e-6, south - 1e-6]).all()
    assert (corners.max(axis=0) <= [east + 1e-6, north + 1e-6]).all()


def test_a_result_does_not_replace_its_image(run: Path, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes((root / "images" / "validation" / "0.tif").read_bytes())
    with pytest.raises(InputError, match="would replace an input image"):
        predict(path, out=tmp_path, model=run)


def test_without_rasterio_a_message_says_that_georeferences_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "b")
    paths = [
        write_tiff(tmp_path / f"{name}.tif", random_bands(3), georeferenced=True) for name in names
    ]
    monkeypatch.setattr(geotiff, "_rasterio", lambda: None)
    said: list[Event] = []
    records = predict(paths, out=tmp_path / "out", overrides=FAST, callback=said.append)
    assert [record.error for record in records] == ["", ""]
    assert not list((tmp_path / "out").glob("*.tif"))
    texts = [event.text for event in said if isinstance(event, Message)]
    assert sum("sceneparse[geo]" in text for text in texts) == 1
    monkeypatch.undo()
    # The results lack the GeoTIFF, so they are made again.
    assert len(predict(paths, out=tmp_path / "out", overrides=FAST)) == 2
    assert len(list((tmp_path / "out").glob("*.tif"))) == 2


def test_bands_of_sentinel_2(tmp_path: Path) -> None:
    """Twelve bands of 16 bits with reflectances up to 10,000."""
    root = tmp_path / "data"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    (root / "labels.yaml").write_text("classes: [ground, plant]\n")
    for index in range(12):
        pixels = random_bands(12, np.uint16, (SIZE, SIZE)) % 10_000
        pixels[..., 0] = index
        write_tiff(root / "images" / f"{index}.tif", pixels, interleave="band", compress="deflate")
        mask = (pixels[..., 7] > 5000).astype(np.uint8)
        Image.fromarray(mask).save(root / "masks" / f"{index}.png")
    chosen = {"bands": [8, 4, 3, 2, 12], "image_range": [0, 10_000]}
    data = {"kind": "folder", "root": str(root), **chosen}
    folder = tmp_path / "run"
    train(config(root, None, data=data), out=folder)
    report = evaluate(folder, device="cpu")
    assert report.images > 0
    (record,) = predict(root / "images" / "0.tif", out=tmp_path / "out", model=folder)
    assert record.error == ""
    # The range of values applies once.
    summary = json.loads((tmp_path / "out" / "0.json").read_text())["classes"]
    assert summary == load(folder)(root / "images" / "0.tif").classes()


@pytest.mark.parametrize("bands", [(4,), (1, 2, 3, 4), (4, 3, 2)], ids=str)
def test_cached_bands_are_those_of_the_files(bands: tuple[int, ...], tmp_path: Path) -> None:
    root = write_fields(tmp_path / "data", {"training": 5}, np.uint16)
    overrides = [f"data.bands={list(bands)}"]
    cache_data(root, overrides=overrides)

    def opened(*chosen: int) -> CachedDataset:
        found = factory.dataset(FolderData(root=root, bands=chosen), "training", to_learn=True)
        assert isinstance(found, CachedDataset)
        return found

    cached = opened(*bands)
    assert cached.is_complete
    for index in range(len(cached)):
        sample = cached[index]
        assert samples_equal(sample, cached.files[index])
        assert sample.image.shape == (SIZE, SIZE, len(bands))
    # Other bands are other pixels.
    assert opened(2).cached_count == 0
    cache_data(root, overrides=overrides, to=tmp_path / "small", short_side=16)
    small = factory.dataset(
        FolderData(root=root, bands=bands, cache=tmp_path / "small"), "training", to_learn=True
    )
    assert small[0].image.shape == (16, 16, len(bands))


def test_the_check_takes_bands_and_suggests_their_range(tmp_path: Path) -> None:
    root = write_fields(tmp_path / "data", {"training": 3, "validation": 3}, np.uint16)
    for path in root.glob("images/*/*.tif"):
        pixels, _ = field(int(path.stem), np.uint16)
        write_tiff(path, pixels // 20)
    report = check(root, overrides=["data.bands=[1, 4]"])
    assert [finding.kind for finding in report.findings] == ["small_range"]
    assert "data.image_range=[0, 4095]" in report.findings[0].text
    without = check(root)
    assert without.findings[0].kind == "unreadable"
    assert "set data.bands=[1, 2, 3]" in without.findings[0].text


def test_infrared_that_gdal_declares_as_transparency_is_a_warning(tmp_path: Path) -> None:
    root = write_fields(tmp_path / "data", {"training": 2, "validation": 2})
    for path in root.glob("images/*/*.tif"):
        pixels = random_bands(4, size=(SIZE, SIZE))
        pixels[0, 0, 0] = int(path.stem)
        write_tiff(path, pixels)  # GDAL declares the fourth of four bands of 8 bits as alpha
    data = FolderData(root=root)
    splits = {split: data.files(split) for split in ("training", "validation")}
    (finding,) = quick_check(data, splits)
    assert finding.kind == "transparency"
    assert "data.bands=[1, 2, 3] or [1, 2, 3, 4]" in finding.text
