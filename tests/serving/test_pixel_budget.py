"""A budget of pixels lets images in, in their order, and never more than it has."""

import asyncio

from sceneparse.serving.pixel_budget import PixelBudget


def test_never_more_pixels_are_held_than_there_are() -> None:
    async def run() -> tuple[int, list[int]]:
        budget, most, order = PixelBudget(10), 0, list[int]()

        async def image(number: int, pixels: int) -> None:
            nonlocal most
            async with budget.hold(pixels):
                order.append(number)
                most = max(most, budget.held)
                await asyncio.sleep(0.001 * (number % 3))

        sizes = [4, 7, 3, 10, 1, 1, 9, 2, 5, 5]
        await asyncio.gather(*(image(number, size) for number, size in enumerate(sizes)))
        assert budget.held == 0
        return most, order

    most, order = asyncio.run(run())
    assert most <= 10
    # A large image is not overtaken for ever by small ones.
    assert order == sorted(order)


def test_who_gives_up_waiting_leaves_the_others_their_place() -> None:
    async def run() -> list[str]:
        budget, entered = PixelBudget(10), list[str]()

        async def image(name: str, pixels: int) -> None:
            async with budget.hold(pixels):
                entered.append(name)

        async with budget.hold(8):
            tasks = {
                name: asyncio.create_task(image(name, pixels))
                for name, pixels in (("large", 9), ("small", 2), ("second", 2))
            }
            await asyncio.sleep(0)
            assert entered == []
            tasks["large"].cancel()
            await asyncio.sleep(0.01)
            assert entered == ["small", "second"]
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert budget.held == 0
        return entered

    assert asyncio.run(run()) == ["small", "second"]


def test_a_place_that_comes_with_the_cancellation_is_given_back() -> None:
    async def run() -> None:
        budget = PixelBudget(10)

        async def image() -> None:
            async with budget.hold(10):
                await asyncio.sleep(10)

        async with budget.hold(10):
            task = asyncio.create_task(image())
            await asyncio.sleep(0)
        task.cancel()  # After its turn has come, and before it runs.
        await asyncio.gather(task, return_exceptions=True)
        assert budget.held == 0

    asyncio.run(run())
